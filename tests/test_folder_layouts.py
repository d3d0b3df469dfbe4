"""Folders as others lay them out: what they are taken for, that it is said, and what is refused as doubtful."""

import io
import re
import time
import zipfile

import openpyxl
import pytest
from test_folders import codes, made

from imgcls.cli.main import main
from imgcls.data.edits import move_to_class
from imgcls.data.folder_parts import split_name
from imgcls.data.image_folders import scan
from imgcls.errors import DatasetError


@pytest.fixture
def pets(tmp_path):
    return tmp_path / "data" / "pets"


def classes_in(*folders, each=2):
    return [f"{folder}/{kind}/{i}.jpg" for folder in folders for kind in ("cat", "dog") for i in range(each)]


def counts(found):
    return {split: len(files) for split, files in found.splits.items()}


def said(found):
    return " ".join(map(str, found.notes))


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("training_set", None, "test_set"),
        ("training_set", "val_set", "test_set"),
        ("TrainingSet", "ValidationSet", "TestSet"),
        ("train_images", "valid-images", "Test images"),
        ("seg_train", None, "seg_test"),
        ("seg_train/seg_train", None, "seg_test/seg_test"),
        ("asl_alphabet_train/asl_alphabet_train", None, "asl_alphabet_test/asl_alphabet_test"),
        ("train/train", "dev", "test/test"),
        ("train", "eval", "holdout"),
        ("train2017", "val2017", "test2017"),
        ("训练集", "验证集", "测试集"),
        ("训练", "验证", "测试"),
        ("训练数据", "验证数据", "测试数据"),
        ("a/b/c/d/train", "a/b/c/d/dev", "a/b/c/d/test"),
        ("1_train", "2_val", "3_test"),
        ("train_224x224", None, "test_224x224"),
        ("train_dir", "val_dir", "test_dir"),
        ("train_cats_dogs", None, "test_cats_dogs"),
        ("trainval", None, "test"),
        ("训练用", "校验用", "测试用"),
        ("水果训练集", None, "水果测试集"),
        ("/".join("abcdefghij") + "/train", None, "/".join("abcdefghij") + "/test"),
    ],
)
def test_splits_under_the_names_that_others_give_them(pets, train, val, test):
    found = scan(made(pets, *classes_in(*filter(None, (train, val, test)))))
    assert found.classes == ("cat", "dog")
    assert counts(found) == {"train": 4} | ({"val": 4} if val else {}) | {"test": 4}
    for folder in filter(None, (train, val, test)):
        outer = folder.split("/")[-1] if folder.startswith("a/") else folder.split("/")[0]
        if outer not in ("train", "test"):
            assert f"{outer} is used as" in said(found)


def test_what_was_understood_is_said(pets):
    found = scan(made(pets, *classes_in("training_set", "test_set"), "classes.txt"))
    assert "training_set is used as train: 2 classes, 4 images." in said(found)
    assert "test_set is used as test: 2 classes, 4 images." in said(found)


@pytest.mark.parametrize("beside", ["seg_pred/seg_pred/1.jpg", "test1/1.jpg", "single_prediction/cat_or_dog_1.jpg"])
def test_images_to_be_guessed_are_left_out(pets, beside):
    found = scan(made(pets, *classes_in("seg_train" if "seg" in beside else "train"), beside,
                      *classes_in("seg_test" if "seg" in beside else "val")))  # fmt: skip
    assert found.classes == ("cat", "dog") and "left out" in said(found)
    assert sum(counts(found).values()) == 8


@pytest.mark.parametrize("name", ["crash test", "test tube", "training plane", "my train", "contest", "eval kit"])
def test_a_class_may_hold_the_word(pets, name):
    assert split_name("contest") is None and split_name("test tube") is None
    found = scan(made(pets, f"{name}/1.jpg", "car/1.jpg"))
    assert set(found.classes) == {name, "car"}


@pytest.mark.parametrize("name", ["train", "Test_Set", "验证集", "dev"])
def test_no_class_is_collected_under_a_split_s_name(name):
    assert split_name(name)


@pytest.mark.parametrize("thing", ["数据集", "dataset", " data set", "图片集"])
def test_a_name_of_many_words_is_read_at_once(thing):
    assert split_name(f"训练{thing * 2}") and split_name(f"train{thing * 2}")
    start = time.process_time()
    for times in (7, 22, 100_000):
        assert split_name(f"训练{thing * times}x") is None
    assert time.process_time() - start < 1


def test_classes_that_hold_their_own_splits(pets):
    names = [f"{kind}/{split}/{i}.jpg" for kind in ("cat", "dog") for split in ("Train", "test") for i in range(3)]
    found = scan(made(pets, *names))
    assert found.classes == ("cat", "dog") and counts(found) == {"train": 6, "test": 6}
    assert "Train" in said(found) or "train" in said(found)


def test_a_class_may_lack_a_split_that_others_have(pets):
    names = [f"{kind}/{split}/{i}.jpg" for kind in ("cat", "dog") for split in ("train", "test") for i in range(3)]
    found = scan(made(pets, *names, "cat/val/1.jpg", "fox/Training/1.jpg", "fox/Training/2.jpg"))
    assert found.classes == ("cat", "dog", "fox") and counts(found) == {"train": 8, "val": 1, "test": 6}


def test_versions_beside_others_or_in_a_split_are_noticed_too(pets):
    made(pets / "a", *classes_in("v1", "v2"), "docs/figures/1.jpg", "docs/plots/1.jpg", "extra/1.jpg")
    made(pets / "b", *classes_in("train/color", "train/grey", "test/color", "test/grey"))
    for root in (pets / "a", pets / "b"):
        with pytest.raises(DatasetError, match="hold the same folders"):
            scan(root)


@pytest.mark.parametrize(
    "folders",
    [
        ("color", "grayscale", "segmented"),
        ("v1", "v2"),
        ("fold1", "fold2", "fold3"),
        ("lernen", "pruefen"),
        ("wrap/part_a", "wrap/part_b"),
        ("v1/images", "v2/images"),
        ("original/train", "original/test", "augmented/train", "augmented/test"),
        ("fold_0/train", "fold_0/val", "fold_1/train", "fold_1/val"),
    ],
)
def test_versions_of_one_data_set_are_not_learnt_as_classes(pets, folders):
    with pytest.raises(DatasetError, match="hold the same folders") as error:
        scan(made(pets, *classes_in(*folders)))
    at = 1 if folders[0].startswith("wrap/") else 0
    assert all(folder.split("/")[at] in str(error.value) for folder in folders)
    assert scan(pets / "/".join(folders[0].split("/")[: at + 1])).classes == ("cat", "dog")


@pytest.mark.parametrize(
    "form", ["{split}_{kind}/{i}.jpg", "{kind}_{split}/{i}.jpg", "{split}{upper}/{i}.jpg", "{split}-{kind}-new/{i}.jpg"]
)
def test_splits_and_classes_in_one_name_are_not_learnt(pets, form):
    names = [
        form.format(split=split, kind=kind, upper=kind[0].upper(), i=i)
        for split in ("train", "test")
        for kind in ("cat", "dog")
        for i in range(3)
    ]
    with pytest.raises(DatasetError, match="splits and classes in one"):
        scan(made(pets, *names))


@pytest.mark.parametrize("beside", ["masks", "annotations", "ground_truth", "labels"])
def test_what_belongs_to_images_is_no_class(pets, beside):
    with pytest.raises(DatasetError, match="what belongs to each of them"):
        scan(made(pets, "images/1.png", "images/2.png", f"{beside}/1.png", f"{beside}/2.png"))
    assert scan(made(pets.parent / "faces", "mask/1.png", "no mask/1.png")).classes == ("mask", "no mask")


@pytest.mark.parametrize(
    "names",
    [
        [f"{kind}/images/{i}.jpg" for kind in ("n01", "n02") for i in range(3)],  # Tiny-ImageNet
        ["cat/indoor/1.jpg", "cat/2.jpg", "dog/outdoor/1.jpg", "dog/2.jpg"],
        ["cat/a/1.jpg", "cat/b/1.jpg", "dog/1.jpg", "horse/1.jpg"],
    ],
)
def test_sub_folders_of_real_classes_are_no_versions(pets, names):
    assert len(scan(made(pets, *names)).classes) >= 2


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        ([f"{kind}.{i}.jpg" for kind in ("cat", "dog") for i in range(3)], ("cat", "dog")),
        ([f"train/{kind}.{i}.jpg" for kind in ("cat", "dog") for i in range(3)], ("cat", "dog")),
        ([f"train/train/{kind}_{i}.jpg" for kind in ("cat", "dog") for i in range(3)], ("cat", "dog")),
        ([f"{kind} ({i}).jpg" for kind in ("苹果", "梨") for i in range(3)], ("梨", "苹果")),
        ([f"{kind}-!-{i}.jpg" for kind in ("Class 1", "Class 2") for i in range(3)], ("Class 1", "Class 2")),
        ([f"images/{kind}_{i}.jpg" for kind in ("Maine_Coon", "pug") for i in range(3)], ("Maine_Coon", "pug")),
        ([f"{kind}_{i:03}_aug_{j}.jpg" for kind in ("cat", "dog") for i in range(3) for j in (0,)], ("cat", "dog")),
        (["cat_1.jpg", "Cat_2.jpg", "cat_3.jpg", "dog_1.jpg", "DOG_2.jpg", "dog_3.jpg"], ("cat", "dog")),
    ],
)
def test_labels_that_names_begin_with(pets, names, classes):
    found = scan(made(pets, *names))
    assert found.classes == classes and counts(found) == {"train": 6}
    assert "file names begin with" in said(found) and not found.sorted


@pytest.mark.parametrize(
    "names",
    [
        [f"{i}.jpg" for i in range(6)],
        [f"IMG_{i}.jpg" for i in range(3)] + [f"DSC{i}.jpg" for i in range(3)],
        ["holiday.jpg", "beach.jpg", "sun set.jpg"],
        [f"cat_{i}.jpg" for i in range(6)],
        [f"cats/{kind}_{i}.jpg" for kind in ("tom", "felix") for i in range(3)],
        [f"cat_{i}.jpg" for i in range(3)] + [f"random {name}.jpg" for name in "abc"],
        [f"{age}_0_{i}.jpg" for age in (20, 30) for i in range(3)],
        [f"微信图片_{i}.jpg" for i in range(3)] + [f"屏幕截图 {i}.jpg" for i in range(3)],
        [f"mmexport{i}.jpg" for i in range(3)] + [f"DJI_{i}.jpg" for i in range(3)],
    ],
)
def test_names_that_are_no_labels_are_not_guessed(pets, names):
    with pytest.raises(DatasetError, match="no class folders|has 1 class"):
        scan(made(pets, *names))


TABLES = {
    "file, label": ("labels.csv", "filename,label\n{0}.jpg,cat\n{1}.jpg,dog\n{2}.jpg,cat\n{3}.jpg,dog\n"),
    "id, breed": ("train.csv", "id,breed\n{0},cat\n{1},dog\n{2},cat\n{3},dog\n"),
    "several columns": ("meta.csv", "lesion,image_id,dx,age\nA,{0},cat,1\nB,{1},dog,2\nC,{2},cat,3\nD,{3},dog,4\n"),
    "one-hot": ("_classes.csv", "filename, cat, dog\n{0}.jpg, 1, 0\n{1}.jpg, 0, 1\n{2}.jpg, 1, 0\n{3}.jpg, 0, 1\n"),
    "tabs": ("labels.tsv", "image\tclass\n{0}.jpg\tcat\n{1}.jpg\tdog\n{2}.jpg\tcat\n{3}.jpg\tdog\n"),
    "semicolons": ("labels.csv", "image;class\n{0}.jpg;cat\n{1}.jpg;dog\n{2}.jpg;cat\n{3}.jpg;dog\n"),
    "no header": ("labels.csv", "{0}.jpg,cat\n{1}.jpg,dog\n{2}.jpg,cat\n{3}.jpg,dog\n"),
    "lines of text": ("train.txt", "images/{0}.jpg cat\nimages/{1}.jpg dog\nimages/{2}.jpg cat\nimages/{3}.jpg dog\n"),
    "a path of another machine": (
        "labels.csv", "path,label\nD:\\x\\images\\{0}.jpg,cat\nD:\\x\\images\\{1}.jpg,dog\nD:\\x\\images\\{2}.jpg,cat\n"
        "D:\\x\\images\\{3}.jpg,dog\n"
    ),
    "truths": ("labels.csv", "id,cat,dog\n{0},True,False\n{1},False,True\n{2},True,False\n{3},False,True\n"),
    "letter case": ("labels.csv", "file,label\n{0}.jpg,cat\n{1}.jpg,dog\n{2}.jpg,Cat\n{3}.jpg,dog\n"),
    "no number": ("labels.csv", "file,label\n{0}.jpg,cat\n{1}.jpg,dog\n{2}.jpg,cat\n{3}.jpg,dog\ne5.jpg,NaN\n"),
    "ClassName": ("labels.csv", "ImageId,ClassName,Width\n{0},cat,1\n{1},dog,2\n{2},cat,3\n{3},dog,4\n"),
    "another ending": ("labels.csv", "file,label\n{0}.png,cat\n{1}.png,dog\n{2}.png,cat\n{3}.png,dog\n"),
    "comments": ("labels.csv", "# mine\nfile,label\n{0}.jpg,cat\n{1}.jpg,dog\n{2}.jpg,cat\n{3}.jpg,dog\n"),
    "Excel's separator": ("labels.csv", "sep=;\nfile;label\n{0}.jpg;cat\n{1}.jpg;dog\n{2}.jpg;cat\n{3}.jpg;dog\n"),
    "bars": ("labels.txt", "{0}.jpg|cat\n{1}.jpg|dog\n{2}.jpg|cat\n{3}.jpg|dog\n"),
    "Chinese headers": ("标签.csv", "文件名,类别\n{0}.jpg,cat\n{1}.jpg,dog\n{2}.jpg,cat\n{3}.jpg,dog\n"),
}  # fmt: skip
IDS = ("ISIC_0024306", "b2", "c33", "d9")


@pytest.mark.parametrize("where", ["", "images", "train/images"])
@pytest.mark.parametrize("kind", TABLES)
def test_labels_in_a_table(pets, kind, where):
    name, text = TABLES[kind]
    made(pets, *(f"{where}/{i}.jpg".lstrip("/") for i in IDS), f"{where}/e5.jpg".lstrip("/"))
    (pets / name).write_text(text.format(*IDS), encoding="utf-8")
    found = scan(pets)
    assert found.classes == ("cat", "dog") and counts(found) == {"train": 4}
    assert {path.stem: found.classes[label] for path, label in found.splits["train"]} == dict(
        zip(IDS, ("cat", "dog", "cat", "dog"), strict=True)
    )
    assert f"the labels stand in {name}" in said(found) and "1 image without a label" in said(found)


def workbook(path, rows):
    """Its first sheet is empty, as one that somebody has cleared."""
    book = openpyxl.Workbook()
    sheet = book.create_sheet("labels")
    for row in rows:
        sheet.append(row)
    book.save(path)


@pytest.mark.parametrize("head", [("文件名", "类别", None, "n"), ("file", "label"), None])
def test_labels_in_an_excel_workbook(pets, head):
    made(pets, *(f"images/{i}.jpg" for i in IDS))
    rows = [(f"{i}.jpg", label, None, 3.0) for i, label in zip(IDS, ("猫", "狗") * 2, strict=True)]
    table = [head, *rows] if head else [row[:2] for row in rows]
    workbook(pets / "labels.xlsx", [*table, (None, None)])
    found = scan(pets)
    assert found.classes == ("狗", "猫") and counts(found) == {"train": 4}
    assert "the labels stand in labels.xlsx" in said(found)


def test_numbers_in_an_excel_workbook_are_whole_where_they_are(pets):
    made(pets, *(f"{i}.jpg" for i in range(4)))
    (pets / "classes.txt").write_text("cat\ndog\n")
    workbook(pets / "labels.xlsx", [("id", "label"), *((i, float(i % 2)) for i in range(4))])
    assert scan(pets).classes == ("cat", "dog")


@pytest.mark.parametrize("damage", ["cut", "changed", "without sheet", "huge"])
def test_a_damaged_excel_workbook_is_no_table(pets, damage, monkeypatch):
    made(pets, *(f"{i}.jpg" for i in IDS))
    path = pets / "labels.xlsx"
    workbook(path, [("file", "label"), *((f"{i}.jpg", "cat" if i > "b" else "dog") for i in IDS)])
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "changed":
        path.write_bytes(content[:300] + bytes(200) + content[500:])
    elif damage == "without sheet":
        with zipfile.ZipFile(io.BytesIO(content)) as whole, zipfile.ZipFile(path, "w") as partly:
            for name in whole.namelist():
                if "worksheets" not in name:
                    partly.writestr(name, whole.read(name))
    else:
        monkeypatch.setattr("imgcls.data.spreadsheets.MAX_UNPACKED_BYTES", 100)
    with pytest.raises(DatasetError, match=r"labels\.xlsx is no table of one label for each image"):
        scan(pets)


def test_unicode_text_of_excel_and_labels_of_two_words(pets):
    made(pets, *(f"{i}.jpg" for i in IDS))
    lines = "".join(f"{i}.jpg\t{label}\n" for i, label in zip(IDS, ("金毛 犬", "猫") * 2, strict=True))
    (pets / "labels.csv").write_bytes(("file\tlabel\n" + lines).encode("utf-16"))
    assert scan(pets).classes == ("猫", "金毛 犬")
    (pets / "labels.csv").rename(pets / "labels.txt").write_text(lines.replace("\t", " "), encoding="utf-8")
    assert scan(pets).classes == ("猫", "金毛 犬")


def test_a_table_of_more_images_than_are_here(pets):
    made(pets, *(f"{i}.jpg" for i in IDS))
    more = "".join(f"{i}.jpg,{'cat' if i % 2 else 'dog'}\n" for i in range(100))
    (pets / "labels.csv").write_text("file,label\n" + "".join(f"{i}.jpg,{len(i) % 2}\n" for i in IDS) + more)
    assert counts(scan(pets)) == {"train": 4}


@pytest.mark.parametrize("header", ["split,path,label\n", "", "Data Set,filepaths,labels\n"])
def test_a_column_of_splits_divides_the_images_and_is_no_label(pets, header):
    made(pets, *(f"images/{i}.jpg" for i in range(8)))
    rows = [
        f"{['TRAIN', 'TRAIN', 'VALIDATION', 'TEST'][i // 2]},gs://x/{i}.jpg,{'cat' if i % 2 else 'dog'}"
        for i in range(8)
    ]
    (pets / "data.csv").write_text(header + "\n".join(rows))
    found = scan(pets)
    assert found.classes == ("cat", "dog") and counts(found) == {"train": 4, "val": 2, "test": 2}
    assert "train 4, val 2, test 2" in said(found)


@pytest.mark.parametrize("header", ["file,label,split\n", ""])
def test_an_image_that_a_column_of_splits_leaves_blank_is_left_out(pets, header):
    made(pets, *(f"images/{i}.jpg" for i in range(20)))
    splits = ["train"] * 12 + ["valid"] * 4 + ["", "", "NaN", ""]
    rows = [f"{i}.jpg,{'cat' if i % 2 else 'dog'},{split}" for i, split in enumerate(splits)]
    (pets / "data.csv").write_text(header + "\n".join(rows))
    found = scan(pets)
    assert found.classes == ("cat", "dog") and counts(found) == {"train": 12, "val": 4}
    assert "4 images for which the table names no split: left out" in said(found)


def test_a_table_divides_the_images_of_class_folders_too(pets):
    names = [f"{kind}/{kind}{i}.jpg" for kind in ("cat", "dog") for i in range(20)]
    made(pets, *names)
    rows = [f"{name},{name[:3]},{'test' if i % 4 == 0 else 'train'}" for i, name in enumerate(names)]
    (pets / "labels.csv").write_text("file,label,split\n" + "\n".join(rows[:-1]))
    found = scan(pets)
    assert found.classes == ("cat", "dog") and counts(found) == {"train": 29, "test": 10}
    assert "1 image for which the table names no split: left out" in said(found)


def test_a_table_of_a_few_images_does_not_replace_class_folders(pets):
    made(pets, *(f"{kind}/{kind}{i}.jpg" for kind in ("cat", "dog") for i in range(20)))
    (pets / "todo.csv").write_text("file,label\ncat1.jpg,ok\ncat2.jpg,blurry\ndog1.jpg,ok\ndog2.jpg,blurry\n")
    found = scan(pets)
    assert found.classes == ("cat", "dog") and counts(found) == {"train": 40} and found.sorted


@pytest.mark.parametrize("table", ["labels.xlsx", "labels.json", "several.csv"])
@pytest.mark.parametrize("where", ["", "images", "train"])
def test_a_table_that_cannot_be_used_is_named(pets, table, where):
    made(pets, *(f"{where}/{i}.jpg".lstrip("/") for i in IDS))
    (pets / table).write_text("file,cat,dog\n" + "".join(f"{i}.jpg,1,1\n" for i in IDS))
    with pytest.raises(DatasetError, match=f"{table} is no table of one label for each image"):
        scan(pets)


def test_numbers_are_named_by_the_list_of_classes(pets):
    made(pets, *(f"train/{i}.jpg" for i in "abcd"), *(f"val/{i}.jpg" for i in "ef"))
    (pets / "classes.txt").write_text("cat\ndog\n")
    (pets / "train.txt").write_text("a.jpg 0\nb.jpg 1\nc.jpg 0\nd.jpg 1\n")
    (pets / "val.txt").write_text("e.jpg 1\nf.jpg 0\n")
    found = scan(pets)
    assert found.classes == ("cat", "dog") and counts(found) == {"train": 4, "val": 2}


def test_boxes_of_one_class_are_a_label(pets):
    made(pets, *(f"train/{i}.jpg" for i in "abcd"))
    (pets / "train" / "_classes.txt").write_text("cat\ndog\n")
    (pets / "train" / "_annotations.txt").write_text(
        "a.jpg 1,1,9,9,0\nb.jpg 1,1,9,9,1 2,2,5,5,1\nc.jpg 1,1,9,9,0\nd.jpg 1,1,9,9,1 2,2,5,5,0\n"
    )
    found = scan(pets)
    assert found.classes == ("cat", "dog") and counts(found) == {"train": 3}


def test_a_table_that_says_otherwise_than_the_folders_is_right(pets):
    """HAM10000: two folders that only hold parts, and a table."""
    made(pets, "part_1/a.jpg", "part_1/b.jpg", "part_2/c.jpg", "part_2/d.jpg")
    (pets / "metadata.csv").write_text("image_id,dx\na,nv\nb,mel\nc,nv\nd,mel\n")
    assert scan(pets).classes == ("mel", "nv")
    (pets / "metadata.csv").write_text("image_id,dx\na,one\nb,one\nc,two\nd,two\n")
    found = scan(pets)
    assert found.classes == ("part_1", "part_2") and found.sorted


@pytest.mark.parametrize(
    "text",
    ["", "a,b\n1,2\n", "id,x,y\na,1.5,2.5\nb,1.7,2.7\nc,1,2\n", "filename\na.jpg\nb.jpg\n", "\0\0\0", '"a,b\n'],
)
def test_other_tables_are_no_labels(pets, text):
    made(pets, *(f"{i}.jpg" for i in "abc"))
    (pets / "data.csv").write_text(text)
    with pytest.raises(DatasetError, match="no class folders"):
        scan(pets)


def test_letter_case_alone_tells_no_classes_apart(pets):
    with pytest.raises(DatasetError, match="two folders called"):
        scan(made(pets, "Cat/1.jpg", "cat/1.jpg", "dog/1.jpg"))


def test_letter_case_does_not_part_a_class_from_its_own_in_another_split(pets):
    found = scan(made(pets, "train/Cat/1.jpg", "train/Dog/1.jpg", "val/cat/1.jpg", "val/DOG/1.jpg"))
    assert found.classes == ("Cat", "Dog") and [label for _, label in found.splits["val"]] == [0, 1]


def test_what_is_understood_stands_in_the_report_and_before_training(workspace, capsys):
    from photos import flowers

    from imgcls.recipes import with_recipe
    from imgcls.training import events
    from imgcls.training.trainer import train

    flowers(workspace.data / "plants" / "training_set", each=6)
    flowers(workspace.data / "plants" / "test_set", each=2)
    assert main(["datasets", "plants"]) == 0
    assert "- training_set is used as train: 3 classes, 18 images." in capsys.readouterr().out
    asked = {"dataset": "plants", "model": "lenet", "epochs": 1, "batch_size": 8, "device": "cpu"}
    (started,) = (e for e in train(with_recipe(asked), workspace=workspace, run="r") if isinstance(e, events.Started))
    assert any("test_set is used as" in str(note) for note in started.notes)


def test_an_image_is_not_moved_where_no_folder_is_its_class(workspace):
    root = made(workspace.data / "pets", *(f"{kind}.{i}.jpg" for kind in ("cat", "dog") for i in range(3)))
    with pytest.raises(DatasetError, match="do not come from its folders"):
        move_to_class("pets", "cat.0.jpg", "dog", workspace)
    assert (root / "cat.0.jpg").exists()


def test_a_file_beside_the_classes_is_reported(workspace, capsys):
    from photos import flowers

    flowers(workspace.data / "plants", each=2)
    (workspace.data / "plants" / "README.txt").write_text("about")
    assert main(["datasets", "plants"]) == 0
    assert re.search("1 file of another kind", capsys.readouterr().out)


def test_problems_are_named_once(pets):
    found = scan(made(pets, *classes_in("training_set", "test_set")))
    assert codes(found) == ["split", "split"]
