"""The lab's error sentences in Chinese: English sentence with {} for each value -> Chinese with {0}, {1}, ...

The English sentence itself is the key, as in gettext: whoever raises an error writes English only. A test walks the
source and asks for an entry for every sentence that the page can show.
"""

from __future__ import annotations

import re
from functools import cache

SENTENCES: dict[str, str] = {
    # settings.py, recipes.py, hosting.py
    "{} is {}, but must be {}.": "{0} 现在是 {1}，但必须是{2}。",
    "{} is {}, but {}.": "{0} 现在是 {1}，但{2}。",
    "There is no setting '{}'.": "没有名为“{0}”的设置。",
    "transfer '{}' needs pre-trained weights: give weights a file in weight/, a path, or 'imagenet'.": "迁移方式 {0} 需要预训练权重：请在 weights 中选 weight/ 里的文件、路径或 imagenet。",
    "weights '{}' are not used when transfer is 'scratch': choose transfer 'head' or 'finetune', or leave weights empty.": "从头训练 (scratch) 用不到权重“{0}”：请改选 head 或 finetune，或把 weights 留空。",
    "nesterov needs a momentum above 0: switch it off, or give momentum e.g. 0.9.": "nesterov 需要大于 0 的动量：请关闭它，或把 momentum 设为例如 0.9。",
    "warmup_epochs is {}, but must be below epochs ({}).": "warmup_epochs 现在是 {0}，但必须小于 epochs（{1}）。",
    "must be letters, digits, '.', '_' or '-', at most 80, and start with a letter or digit": "只能用字母、数字、“.”、“_”或“-”，最多 80 个，且以字母或数字开头",
    "must be a share below 1 or a whole number of images": "必须是小于 1 的比例，或整数张图片",
    "must name a data set": "必须是一个数据集的名字",
    "must be a file name": "必须是一个文件名",
    "IMGCLS_PORT is {}, but must be a whole number from 0 to 65535.": "IMGCLS_PORT 现在是 {0}，但必须是 0 到 65535 的整数。",
    "IMGCLS_TRUSTED_PROXY names {name}, but must be addresses or networks such as 10.0.0.0/8, separated by commas.": "IMGCLS_TRUSTED_PROXY 中有 {name}，但必须是地址或网段，例如 10.0.0.0/8，用逗号分隔。",
    "There are {} runs going on already: wait until one ends, or stop it.": "已有 {0} 个训练正在进行：请等其中一个结束，或先停止它。",
    "{} is {}, but this shared lab allows at most {}.": "{0} 现在是 {1}，但这个公共实验室最多允许 {2}。",
    "A path cannot be given in a shared lab: choose a data set or weights from the list.": "公共实验室里不能填写路径：请从列表中选择数据集或权重。",
    # runs.py, worker.py, trainer.py, resume.py
    "There is no run '{}': see `python -m imgcls runs` for those there are.": "没有名为“{0}”的训练：用 python -m imgcls runs 查看已有的。",
    "There is no run '{}' in {}.": "{1} 中没有名为“{0}”的训练。",
    "name is {}, but a run of that name is there already: choose another name.": "名称 {0} 已被用过：请换一个名称。",
    "{} is still running.": "{0} 还在训练。",
    "{} is not running.": "{0} 没有在训练。",
    "{} is already running in another process.": "{0} 已在另一个进程中训练。",
    "{} is still running: stop it first.": "{0} 还在训练：请先停止它。",
    "{} has nothing to go on from: it is finished, or ended before it first saved; start a new run.": "{0} 没有可以继续的内容：它已完成，或还没保存就结束了；请重新开始。",
    "{} cannot be written ({}).": "{0} 无法写入（{1}）。",
    "The run's process could not be started ({}).": "训练进程无法启动（{0}）。",
    "The run ended without a word.": "训练没有留下消息就结束了。",
    "There is not enough memory: choose a smaller batch_size or image_size.": "内存不够：请减小 batch_size 或 image_size。",
    "The device has not enough memory: choose a smaller batch_size or image_size.": "设备内存不够：请减小 batch_size 或 image_size。",
    "Something went wrong that should not have ({}); see the run's log.txt.": "出现了不该有的问题（{0}）；详情见该训练的 log.txt。",
    "The loss is no longer a number at step {}: the learning rate {} is too high for this network and initialisation ({}); choose a smaller lr.": "第 {0} 步的损失已不是数字：学习率 {1} 对这个网络和初始化（{2}）太大；请减小 lr。",
    "There is nothing to go on from: {} is not there.": "没有可以继续的内容：{0} 不存在。",
    "{} cannot be read ({}): start the run anew.": "{0} 读不出来（{1}）：请重新开始训练。",
    "{} does not fit the run's settings ({}): start the run anew.": "{0} 与训练的设置不符（{1}）：请重新开始训练。",
    # checkpoint.py
    "{} holds weights but does not say of which network: it was not made by this lab; to learn on from it, put it in weight/ and choose it as pre-trained weights.": "{0} 有权重，但没说明是什么网络：它不是本实验室生成的；想在它的基础上学习，请放进 weight/ 并选作预训练权重。",
    "{} is cut off ({} of {} bytes): copy it again.": "{0} 不完整（{2} 字节中只有 {1}）：请重新复制。",
    "{} was made by a newer version of this lab: update this one.": "{0} 由更新版本的实验室生成：请更新本实验室。",
    "{} holds a '{}', a network that this version does not know.": "{0} 中的网络“{1}”是本版本不认识的。",
    "{} could not be written ({}): free some space.": "{0} 无法写入（{1}）：请腾出空间。",
    "{} is larger than {} GiB: it is no checkpoint of this lab.": "{0} 超过 {1} GiB：它不是本实验室的检查点。",
    "There is no checkpoint {}.": "没有检查点 {0}。",
    "{} cannot be read ({}).": "{0} 读不出来（{1}）。",
    "{} is no safetensors file, or is cut off: copy it again.": "{0} 不是 safetensors 文件，或不完整：请重新复制。",
    "{} has a description this lab cannot read (at '{}').": "{0} 的说明本实验室读不懂（在“{1}”处）。",
    "{} cannot be read ({}): copy it again.": "{0} 读不出来（{1}）：请重新复制。",
    "{} does not fit the {} it says it holds: {}": "{0} 与它声称的 {1} 不符：{2}",
    "The checkpoint's settings cannot be read by this version of the lab.": "这个版本读不懂该检查点的设置。",
    "There is no checkpoint {}: give a file, or the name of a folder in checkpoints/.": "没有检查点 {0}：请给出文件，或 checkpoints/ 中文件夹的名字。",
    # data
    "The decoded photos in {} cannot be read back: check the disk, or delete {}.": "{0} 中解码后的照片读不回来：请检查磁盘，或删除 {1}。",
    "The decoded photos need {} GB and the cache may have {}: choose a smaller image size or fewer photos.": "解码后的照片需要 {0} GB，而缓存只有 {1} GB：请减小图像边长或照片数量。",
    "The decoded photos cannot be kept in {} ({}): make room there.": "解码后的照片无法保存到 {0}（{1}）：请在那里腾出空间。",
    "{} has no images: make a folder for each class and put images into them.": "{0} 中没有图片：请为每个类别建一个文件夹并放入图片。",
    "There is no folder {}: check its name.": "没有文件夹 {0}：请检查名字。",
    "{} has {} but no train folder: add one.": "{0} 有 {1}，但没有 train 文件夹：请加上。",
    "{}/{} has no class folders with images: add them.": "{0}/{1} 中没有带图片的类别文件夹：请加上。",
    "{} has {} classes and at most {} are allowed: use fewer.": "{0} 有 {1} 个类别，最多允许 {2} 个：请减少。",
    "{} has no images of {}: left out.": "{0} 中没有 {1} 的图片：已略过。",
    "{} has {} {} outside its class folders: left out.": "{0} 的类别文件夹之外有 {1} 个文件：已略过。",
    "{} has 1 class; classification needs at least {}: make a folder for each class.": "{0} 只有 1 个类别；分类至少需要 {1} 个：请为每个类别建一个文件夹。",
    "{} has {} {} but no class folders: make a folder for each class and sort the images into them.": "{0} 有 {1} 张图，但没有类别文件夹：请为每个类别建一个文件夹，把图片分进去。",
    "{} has {} {} of other kinds: left out.": "{0} 中有 {1} 个其他种类的文件：已略过。",
    "In {} the images lie directly in {}: make a folder for each class inside, e.g. {}/cats.": "{0} 的图片直接放在 {1} 里：请在里面为每个类别建文件夹，例如 {2}/cats。",
    "{} has a class called {}: if that is a part of the data and not a class, put the class folders inside it.": "{0} 有一个名为 {1} 的类别：如果它是数据的一部分而不是类别，请把类别文件夹放进它里面。",
    "{} has two folders for {}, {} and {}: join them into one.": "{0} 有两个 {1} 文件夹：{2} 和 {3}，请合并。",
    "{}/{} is left out: beside train only val and test are used.": "{0}/{1} 已略过：除 train 外只使用 val 和 test。",
    "{}/{} is left out: it has none of the classes that train has.": "{0}/{1} 已略过：其中没有 train 里的任何类别。",
    "{}/{} has the class {}, which train has not: rename it, or add it to train.": "{0}/{1} 有类别 {2}，而 train 没有：请改名，或加到 train 中。",
    "{}/{} has no images of {}.": "{0}/{1} 中没有 {2} 的图片。",
    "{} has two folders called {}: join them into one.": "{0} 有两个名为 {1} 的文件夹：请合并。",
    "{} has more than {} images: use fewer.": "{0} 的图片超过 {1} 张：请减少。",
    "{} has HEIC photos, which cannot be read here: save them as JPEG.": "{0} 中有 HEIC 照片，这里读不了：请存为 JPEG。",
    "The folder {} cannot be read: check that you may.": "文件夹 {0} 读不了：请检查权限。",
    "{} is missing or broken: copy it again from where the lab came from.": "{0} 缺失或损坏：请从原处重新复制。",
    "There is no data set '{}': choose one of {}, or give a path to a folder of photos.": "没有数据集“{0}”：请选 {1} 之一，或给出照片文件夹的路径。",
    "{} has the classes {}, but the checkpoint knows {}: choose a data set with the same classes.": "{0} 的类别是 {1}，而检查点的是 {2}：请选类别相同的数据集。",
    "{} has images of {}, but the checkpoint wants {}: choose a data set of the same kind.": "{0} 的图片是 {1}，而检查点需要 {2}：请选同类的数据集。",
    "{} has {} training images, and val_split {} leaves {} of them: choose a smaller val_split, e.g. 0.2.": "{0} 有 {1} 张训练图，val_split {2} 只给训练留下 {3} 张：请减小 val_split，例如 0.2。",
    "{} has no readable image to use for {}: look at its report.": "{0} 没有可用于 {1} 的图片：请看数据报告。",
    "There is no {} in {}.": "{1} 中没有 {0}。",
    "The name '{}' {}.": "名称“{0}”不可用：{1}。",
    "There is a data set {} already: choose another name, or delete it first.": "已有数据集 {0}：请换一个名称，或先删除它。",
    "{} has {} entries and at most {} are allowed: split it.": "{0} 有 {1} 个条目，最多允许 {2} 个：请拆开。",
    "{} holds no images{}: zip a folder that has a folder of images for each class.": "{0} 中没有图片{1}：请压缩一个按类别分好文件夹的文件夹。",
    "{} unpacks to {} GB and at most {} GB are allowed: split it.": "{0} 解压后有 {1} GB，最多允许 {2} GB：请拆开。",
    "{} unpacks to {} times its size and at most {} times is allowed, which no photographs need: it looks like a zip bomb.": "{0} 解压后是原来的 {1} 倍，最多允许 {2} 倍，照片用不到这么多：它像是压缩炸弹。",
    "{} unpacks to {} GB and the disk has {} GB free: make room.": "{0} 解压后有 {1} GB，而磁盘只剩 {2} GB：请腾出空间。",
    "{} has the entry '{}', which would leave its folder: it was not unpacked.": "{0} 的条目“{1}”会跑到文件夹之外：没有解压。",
    "{} has more than {} folders inside each other: make a flatter zip.": "{0} 的文件夹嵌套超过 {1} 层：请减少层数。",
    "{} is not a whole zip file: make or copy it again.": "{0} 不是完整的 zip 文件：请重新压缩或复制。",
    "{} is packed in a way that cannot be read here: make an ordinary zip of it.": "{0} 的压缩方式这里读不了：请做成普通 zip。",
    "{} cannot be unpacked to {}: {}.": "{0} 无法解压到 {1}：{2}。",
    "{} is protected by a password: make a zip without one.": "{0} 有密码保护：请做一个没有密码的 zip。",
    "{} has a file of {} MB ({}) and at most {} MB are allowed: leave it out or make it smaller.": "{0} 中有 {1} MB 的文件（{2}），最多允许 {3} MB：请去掉或缩小它。",
    "{} says less than it holds ({}): it was not unpacked.": "{0} 的内容比它声明的多（{1}）：没有解压。",
    "{} is not here: {}": "这里没有 {0}：{1}",
    "{} is cut off or not what its name says: get it again.": "{0} 不完整，或不是它名字所说的文件：请重新获取。",
    "There is nothing called {} to fetch: choose one of {}.": "没有可获取的“{0}”：请选 {1} 之一。",
    "{} came cut off or changed ({} bytes): try again, or {}": "{0} 下载不完整或有改动（{1} 字节）：请重试，或{2}",
    "{} could not be fetched ({}): {}": "{0} 下载失败（{1}）：{2}",
    "{} has no {}: get it again.": "{0} 中没有 {1}：请重新获取。",
    "{} has no readable image to use for train: look at its report.": "{0} 没有可用于训练的图片：请看数据报告。",
    # report.py: findings
    "{} cannot be read and will be left out.": "{0}读不出来，将被略过。",
    "{} images stand in more than one class, e.g. {} and {}: only one can be right.": "{0} 张图同时出现在不同类别中，例如 {1} 和 {2}：只有一个是对的。",
    "{} images stand in more than one part, e.g. {}: the accuracy measured on them will be too high.": "{0} 张图同时出现在不同部分中，例如 {1}：用它们测出的准确率会偏高。",
    "{} images are there more than once.": "{0} 张图重复出现。",
    "{} has {} images and {} only {}: the network will prefer {}.": "{0} 有 {1} 张图，而 {2} 只有 {3} 张：网络会偏向 {4}。",
    "No class has more than {} images: collect more.": "每个类别最多只有 {0} 张图：请多收集一些。",
    # collect.py
    "{} is not a data set of your own in {}: it stays.": "{0} 不是 {1} 中你自己的数据集：没有删除。",
    "In a shared lab nothing is deleted from the page.": "公共实验室里不能从页面删除任何内容。",
    "image_size is {}, but the networks need at least {}.": "image_size 现在是 {0}，但这些网络至少需要 {1}。",
    "The features need {} GB of disk in {}: choose fewer augment_views or free space.": "特征需要 {1} 中 {0} GB 的磁盘空间：请减少 augment_views 或腾出空间。",
    "batch_size is {}, but {} processes need at least {}.": "batch_size 现在是 {0}，但 {1} 个进程至少需要 {2}。",
    "A comparison is going on already: wait until it ends, or stop it.": "已有一个对比正在进行：请等它结束，或先停止它。",
    "Choose a zip file first.": "请先选择一个 zip 文件。",
    "This draft is not there any more: start a new one.": "这份草稿已不在了：请重新开始。",
    "A class cannot be called {}: that name means a part of a data set.": "类别不能叫 {0}：这个名字表示数据集的一部分。",
    "There is a class {} already.": "已有类别 {0}。",
    "A collected data set can have at most {} classes.": "收集的数据集最多有 {0} 个类别。",
    "There are {} unsaved data sets already: save or clear one first.": "已有 {0} 份未保存的数据集：请先保存或清空一份。",
    "A collected data set can have at most {} photos: save this one.": "收集的数据集最多有 {0} 张照片：请先保存这一份。",
    "The disk is nearly full: free some space.": "磁盘快满了：请腾出空间。",
    "This photo is not there any more.": "这张照片已不在了。",
    "A data set needs at least two classes: add another one.": "数据集至少需要两个类别：请再加一个。",
    "There is no class {}: add it first.": "没有类别 {0}：请先添加。",
    "{} has {} of the 2 photos it needs at least: take some more.": "{0} 有 {1} 张照片，至少需要 2 张：请再拍一些。",
    "The photo cannot be read: take it again.": "这张照片读不出来：请重拍。",
    "This shared lab has {} data sets of its visitors already: one has to be deleted first.": "这个公共实验室已有 {0} 个访客的数据集：需要先删除一个。",
    # init_lab.py
    "Choose at least one initialisation.": "请至少选一种初始化。",
    "transfer is {}, but initialisations are compared from 'scratch'.": "迁移方式现在是 {0}，但比较初始化要从头训练 (scratch)。",
    "name is longer than {} characters: choose a shorter one.": "名称超过 {0} 个字符：请取短一些。",
    "There is no lab '{}' in {}.": "{1} 中没有名为“{0}”的实验。",
    "inits is {}, but must be some of {}.": "初始化现在是 {0}，但必须是以下几种：{1}。",
    # devices.py, models
    "device is {}, which this machine does not have: choose auto or {}.": "这台机器没有设备 {0}：请选 auto 或 {1}。",
    "precision fp16 needs a CUDA GPU, and this run is on {}: choose fp32 or bf16.": "fp16 精度需要 CUDA GPU，而这次训练在 {0} 上：请选 fp32 或 bf16。",
    "The ImageNet weights of {} are not here: put {} into {}.": "这里没有 {0} 的 ImageNet 权重：请把 {1} 放进 {2}。",
    "There are no weights '{}': {} holds {}; put the file there.": "没有权重“{0}”：{1} 里有 {2}；请把文件放到那里。",
    "There are no ImageNet weights for {}: choose resnet18 or alexnet.": "{0} 没有 ImageNet 权重：请选 resnet18 或 alexnet。",
    "There is no file {}.": "没有文件 {0}。",
    "{} is larger than {} GiB: these are not weights of a network here.": "{0} 超过 {1} GiB：它不是这里任何网络的权重。",
    "{} holds no tensors by name: save it with torch.save(model.state_dict(), ...).": "{0} 中没有按名字保存的张量：请用 torch.save(model.state_dict(), ...) 保存。",
    "{} does not fit {}: {}; choose the network that it was saved from.": "{0} 与 {1} 不符：{2}；请选它原来的网络。",
    "{} could not be fetched ({}): get {}{} elsewhere and put it into {}.": "{0} 下载失败（{1}）：请在别处下载 {2}{3}，放进 {4}。",
    "{} cannot be read as weights ({}): copy or save it again.": "{0} 无法作为权重读取（{1}）：请重新复制或保存。",
    "{} does not fit {}: '{}' is {}{}.": "{0} 与 {1} 不符：“{2}”为 {3}{4}。",
    "{} holds more than tensors (it may run code) or is broken, and is not opened: save it anew with torch.save(model.state_dict(), ...).": "{0} 除张量外还有别的内容（可能执行代码）或已损坏，没有打开：请用 torch.save(model.state_dict(), ...) 重新保存。",
    # images.py, strokes.py
    "There is nothing to read: draw something first.": "没有可识别的内容：请先画点什么。",
    "There is no file {}: check its name.": "没有文件 {0}：请检查名字。",
    "{} has no pixels: save or copy it again.": "{0} 没有像素：请重新保存或复制。",
    "{} is cut off or damaged: save or copy it again.": "{0} 不完整或已损坏：请重新保存或复制。",
    "{} has more than {} million pixels: make it smaller.": "{0} 超过 {1} 百万像素：请缩小它。",
    "{} is a HEIC photo, which cannot be read here: save it as JPEG.": "{0} 是 HEIC 照片，这里读不了：请存为 JPEG。",
    "{} is not an image that can be read: use {}.": "{0} 不是能读的图片：请用 {1}。",
    "{} is empty (0 bytes): save or copy it again.": "{0} 是空文件：请重新保存或复制。",
    "{} has {} MB and at most {} can be read: save it smaller.": "{0} 有 {1} MB，最多能读 {2} MB：请存小一些。",
    "{} is a folder: choose an image file.": "{0} 是文件夹：请选图片文件。",
    "{} is not a file: choose an image file.": "{0} 不是文件：请选图片文件。",
    "{} cannot be opened: check its name and that you may read it.": "{0} 打不开：请检查名字和权限。",
    "The drawing cannot be read: clear the pad and draw again.": "这幅画读不出来：请清空后重画。",
}

# Parts that appear inside sentences: ranges, and what an empty field is called.
PARTS: dict[str, str] = {
    "a whole number from {} to {}": " {0} 到 {1} 的整数",
    "a number from {} to below {}": "不小于 {0} 且小于 {1} 的数",
    "a number from {} to {}": " {0} 到 {1} 的数",
    "a number above {} and at most {}": "大于 {0} 且不超过 {1} 的数",
    "one of {}": "以下之一：{0}",
    "true or false": " true 或 false",
    "text of at most {} characters": "不超过 {0} 个字符的文字",
    "text": "文字",
    "empty": "空的",
    "not a number": "非数字",
    "1 file": "1 个文件",
    "run `python -m imgcls fetch cifar10`, or unpack {} into {} by hand; a folder of CIFAR-10 images with a folder for each class does as well.": "请运行 python -m imgcls fetch cifar10，或手动把 {0} 解压到 {1}；按类别分好文件夹的 CIFAR-10 图片也可以。",
    "run `python -m imgcls fetch {}`, or put {} into {}.": "请运行 python -m imgcls fetch {0}，或把 {1} 放进 {2}。",
    "copy {} again from where the lab came from.": "请从原处重新复制 {0}。",
    "{} files": "{0} 个文件",
    "is empty: type a name": "名称是空的，请输入",
    "begins or ends with a space, or is spelt in an unusual way: type it again": "首尾有空格或写法异常，请重新输入",
    "is longer than {} characters: choose a shorter one": "超过 {0} 个字符，请取短一些",
    "begins with a dot, which hides it: choose another name": "以点开头会被隐藏，请换一个",
    'has a character or a form that some systems forbid (such as / \\ : * ? " < > |): choose another name': "含有某些系统不允许的字符或形式，请换一个",
}


def chinese(sentence: str) -> str:
    """The sentence in Chinese; as it is where there is none (a file system's own words, another program's)."""
    return _translated(sentence, SENTENCES) or sentence


def _translated(text: str, table: dict[str, str]) -> str | None:
    for pattern, made in _patterns(table is PARTS):
        found = pattern.fullmatch(text)
        if found:
            return made.format(*(_part(value) for value in found.groups()))
    return None


def _part(value: str) -> str:
    return _translated(value, PARTS) or SENTENCES.get(value, value)


@cache
def _patterns(parts: bool) -> list[tuple[re.Pattern[str], str]]:
    """Longest English first, so that the most particular sentence wins."""
    table = PARTS if parts else SENTENCES
    ordered = sorted(table.items(), key=lambda pair: -len(pair[0].replace("{}", "")))
    return [(re.compile("(.*?)".join(map(re.escape, english.split("{}"))), re.S), made) for english, made in ordered]
