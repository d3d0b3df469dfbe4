"""The course as notebooks: `python tests/notebooks.py` writes docs/notebooks, without outputs; a test runs and compares.

Text comes in pairs, English and Chinese; code runs top to bottom without a network, on what ships.
"""

import json
import textwrap
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "notebooks"
REPOSITORY = ""  # "owner/name" where the project is published: the badge then opens the notebook itself
BADGE = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({})"

INSTALL = """
try:
    import imgcls
except ImportError:  # on Colab; in a checkout: %pip install -q ../..
    %pip install -q imgcls
    import imgcls
"""

COLOURED = """
import torch
from torch.utils.data import TensorDataset

from imgcls.data.download import load_arrays
from imgcls.workspace import Workspace


def coloured(split, count):
    images, labels = load_arrays("mnist", Workspace.from_environment())[split]
    random = torch.Generator().manual_seed(0)
    digit = torch.nn.functional.pad(images[:count], (2, 2, 2, 2)) / 255
    ink, paper = torch.rand(2, count, 3, 1, 1, generator=random)
    noise = 0.15 * torch.rand(count, 3, 32, 32, generator=random)
    return TensorDataset((digit * ink + (1 - digit) * paper * 0.85 + noise).clamp(0, 1), labels[:count])


here = {dataset.name for dataset in imgcls.datasets() if dataset.is_here}
if "cifar10" in here:
    dataset = "cifar10"
else:
    train, test = coloured("train", 4000), coloured("test", 1000)
    dataset = imgcls.register_dataset("colour-digits", train, test=test, classes="0123456789")
dataset
"""
STAND_IN = (
    """
    CIFAR-10 is fetched by `imgcls fetch cifar10`. Where it is not here, this notebook takes a small stand-in that is made
    of what ships: MNIST's digits in colour on noisy paper, 32×32 pixels, ten classes.
    """,
    """
    CIFAR-10 可用 `imgcls fetch cifar10` 下载。如果本机没有，就用自带数据做一个小的替代品：彩色的 MNIST 数字，
    画在带噪声的纸上，32×32 像素，十个类别。
    """,
)

NOTEBOOKS = {
    "01-lenet-mnist": (
        ("LeNet on MNIST", "用 LeNet 识别 MNIST"),
        (
            """
            LeNet has two convolutions and three fully connected layers. One epoch over 55,000 images takes some seconds on
            two processor cores. Interrupt the cell to stop: the run is saved, and `run.resume()` goes on.
            """,
            """
            LeNet 有两个卷积层和三个全连接层。在两个处理器核上，55,000 张图像训练一轮只需几秒。
            中断单元格即可停止：训练会保存，用 `run.resume()` 可以继续。
            """,
        ),
        """
        run = imgcls.train("mnist", model="lenet", epochs=1)
        run.test_accuracy
        """,
        (
            "The network is a plain `torch.nn.Module`.",
            "网络就是普通的 `torch.nn.Module`。",
        ),
        """
        net = imgcls.load(run)
        net.model
        """,
        (
            "Classify a digit. Beside the answer is the image as the network got it.",
            "识别一个数字。答案旁边是网络得到的图像。",
        ),
        """
        from PIL import Image, ImageDraw

        picture = Image.new("L", (200, 200), "white")
        ImageDraw.Draw(picture).line([(60, 50), (140, 50), (90, 150)], fill="black", width=14)
        net(picture)
        """,
        (
            "How good is it on the 10,000 test images, and which digits does it confuse?",
            "它在 10,000 张测试图像上有多好？哪些数字会混淆？",
        ),
        "imgcls.evaluate(run)",
        (
            "`lenet-digits` ships. Is the difference more than chance?",
            "`lenet-digits` 是自带的检查点。两者的差别是偶然的吗？",
        ),
        'print(imgcls.compare(run, "lenet-digits"))',
    ),
    "02-lenet-cifar10-initialisation": (
        ("LeNet on CIFAR-10, with two initialisations", "LeNet 与 CIFAR-10：两种初始化"),
        STAND_IN,
        COLOURED,
        (
            """
            Kaiming's initialisation keeps the size of the signal through ReLU layers, Xavier's through symmetric ones. The
            same network, data and seed, two starts:
            """,
            """
            Kaiming 初始化让信号经过 ReLU 层后大小不变，Xavier 初始化则针对对称的激活函数。同样的网络、数据和随机种子，两种起点：
            """,
        ),
        """
        runs = {
            init: imgcls.train(dataset, model="lenet", init=init, epochs=3, train_images=3000, val_split=500)
            for init in ("kaiming-uniform", "xavier-uniform")
        }
        {init: run.val_accuracy for init, run in runs.items()}
        """,
        (
            "A start at zero learns nothing: every unit of a layer gets the same gradient.",
            "全零的起点什么也学不到：同一层的每个单元得到相同的梯度。",
        ),
        """
        zeros = imgcls.train(dataset, model="lenet", init="all-zeros", epochs=1, train_images=3000, val_split=500)
        zeros.val_accuracy
        """,
        (
            "Can the test images tell which of the two starts is better?",
            "测试图像能说明哪一种起点更好吗？",
        ),
        'print(imgcls.compare(runs["kaiming-uniform"], runs["xavier-uniform"]))',
    ),
    "03-alexnet": (
        ("AlexNet", "AlexNet"),
        STAND_IN,
        COLOURED,
        (
            """
            AlexNet has 61 million parameters, a thousand times as many as LeNet. The course trains it at 224 pixels on a GPU;
            here a few hundred images at 64 pixels show one epoch. Take `image_size=224` and `train_images=0` where there is a
            GPU.
            """,
            """
            AlexNet 有六千一百万个参数，是 LeNet 的一千倍。课程用 GPU 以 224 像素训练它；这里用几百张 64 像素的图像演示一轮。
            有 GPU 时可以用 `image_size=224` 和 `train_images=0`。
            """,
        ),
        """
        run = imgcls.train(
            dataset, model="alexnet", epochs=1, image_size=64, train_images=400, val_split=100, batch_size=32, augment="flip"
        )
        run
        """,
        (
            "Where are the parameters? Nearly all are in the first fully connected layers.",
            "参数在哪里？几乎都在前面的全连接层里。",
        ),
        """
        net = imgcls.load(run)
        {name: sum(p.numel() for p in layer.parameters()) for name, layer in net.model.named_children()}
        """,
        (
            "Every epoch's figures are in the run.",
            "每一轮的指标都在 run 里。",
        ),
        "run.history",
    ),
    "04-resnet18-transfer": (
        ("ResNet18 and three ways of transfer", "ResNet18 与三种迁移方式"),
        STAND_IN,
        COLOURED,
        (
            """
            ResNet18's ImageNet weights are fetched by `imgcls fetch resnet18`. Where they are not here, this notebook takes
            EfficientNet-Lite0, whose weights ship; everything else is the same.
            """,
            """
            ResNet18 的 ImageNet 权重可用 `imgcls fetch resnet18` 下载。如果本机没有，就用自带权重的 EfficientNet-Lite0，其余完全相同。
            """,
        ),
        """
        from pathlib import Path

        folders = (Workspace.from_environment().weight, Path(torch.hub.get_dir()) / "checkpoints")
        found = [path for folder in folders for path in folder.glob("resnet18*")]
        model = "resnet18" if found else "efficientnet-lite0"
        small = dict(model=model, image_size=64, train_images=250, val_split=80, epochs=2, progress=False)
        model
        """,
        (
            "**Choice 1: the last layer only.** The frozen backbone runs once over the images, its features are kept.",
            "**方式一：只训练最后一层。** 冻结的主干只运行一遍，特征会保存下来。",
        ),
        """
        head = imgcls.train(dataset, transfer="head", weights="imagenet", **small)
        head
        """,
        (
            "**Choice 2: all layers.** The backbone learns at a tenth of the head's rate.",
            "**方式二：训练所有层。** 主干的学习率是最后一层的十分之一。",
        ),
        """
        finetuned = imgcls.train(dataset, transfer="finetune", weights="imagenet", **small)
        finetuned
        """,
        (
            "**Choice 3: structure only.** The same network from random weights.",
            "**方式三：只用结构。** 同样的网络，从随机权重开始。",
        ),
        """
        scratch = imgcls.train(dataset, transfer="scratch", **small)
        scratch
        """,
        (
            "With few images, what was learnt from ImageNet counts. Which choice is best here?",
            "图像很少时，从 ImageNet 学到的东西很有用。这里哪一种方式最好？",
        ),
        "{way.settings.transfer: way.val_accuracy for way in (head, finetuned, scratch)}",
    ),
    "05-own-photos": (
        ("Your own photos", "自己的照片"),
        (
            """
            A folder of photos with a folder for each class is a data set. Set `photos` to yours. Without one, this cell
            draws a small set, so that the notebook runs: discs, rings and stripes.
            """,
            """
            照片文件夹里每个类别一个子文件夹，就是一个数据集。把 `photos` 设为自己的文件夹。没有的话，
            这个单元格会画一套小的，让 notebook 能够运行：圆盘、圆环和条纹。
            """,
        ),
        """
        import random
        from pathlib import Path

        from PIL import Image, ImageDraw

        photos = Path("shapes")


        def draw(kind, number):
            chance = random.Random(f"{kind} {number}")
            colours = [tuple(chance.randrange(256) for _ in range(3)) for _ in range(2)]
            image = Image.new("RGB", (160, 120), colours[0])
            x, y, r = chance.randrange(50, 110), chance.randrange(45, 75), chance.randrange(20, 40)
            pen = ImageDraw.Draw(image)
            if kind == "stripes":
                for i in range(x % 20, 180, 20):
                    pen.line([(i, 0), (i - 30, 120)], fill=colours[1], width=7)
            else:
                fill = colours[1] if kind == "discs" else None
                pen.ellipse([x - r, y - r, x + r, y + r], fill=fill, outline=colours[1], width=8)
            return image


        for kind in ("discs", "rings", "stripes"):
            (photos / kind).mkdir(parents=True, exist_ok=True)
            for number in range(30):
                draw(kind, number).save(photos / kind / f"{number:02}.jpg")
        """,
        (
            "First look: are there labels that are probably wrong, duplicates, or odd images?",
            "先检查：有没有可能标错的标签、重复的或奇怪的图像？",
        ),
        """
        found = imgcls.audit(photos)
        found.images, found.suspects[:3]
        """,
        (
            "Photos begin with EfficientNet-Lite0, whose ImageNet weights ship, and train its last layer.",
            "照片默认使用自带 ImageNet 权重的 EfficientNet-Lite0，只训练最后一层。",
        ),
        """
        run = imgcls.train(photos)
        run.val_accuracy
        """,
        (
            "A new photo, and the confusion matrix of the photos that were held out.",
            "一张新照片，以及留出的照片的混淆矩阵。",
        ),
        """
        net = imgcls.load(run)
        net(draw("rings", 1000))
        """,
        "imgcls.evaluate(run)",
        (
            "The run is on the page, too: `imgcls serve`, then *Train*; and the photo can be tried in *Classify*.",
            "网页上也能看到这次训练：运行 `imgcls serve`，打开“训练”；在“识别”中可以试用照片。",
        ),
    ),
}


def notebook(name):
    """The notebook as JSON text, without outputs."""
    (english, chinese), *cells = NOTEBOOKS[name]
    address = "https://colab.research.google.com/github/"
    address += f"{REPOSITORY}/blob/main/docs/notebooks/{name}.ipynb" if REPOSITORY else ""
    made = [markdown(f"# {english}\n\n# {chinese}\n\n{BADGE.format(address)}"), code(INSTALL)]
    for cell in cells:
        made.append(code(cell) if isinstance(cell, str) else markdown("\n\n".join(map(paragraph, cell))))
    for place, cell in enumerate(made):
        cell["id"] = f"cell-{place}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = {"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def paragraph(text):
    """One line. English joins the source's lines by spaces, Chinese by nothing."""
    chinese = any("\u4e00" <= character <= "\u9fff" for character in text)
    return ("" if chinese else " ").join(line.strip() for line in text.strip().splitlines())


def markdown(text):
    return {"cell_type": "markdown", "metadata": {}, "source": text.splitlines(keepends=True)}


def code(text):
    source = textwrap.dedent(text).strip().splitlines(keepends=True)
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": source}


def main():
    for name in NOTEBOOKS:
        (FOLDER / f"{name}.ipynb").write_text(notebook(name), "utf-8")


if __name__ == "__main__":
    main()
