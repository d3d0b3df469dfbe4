"""How each setting is called in the form. Names stay those of the command line underneath; a test asks for all of
them. English help is the setting's own."""

from __future__ import annotations

from imgcls.settings import TrainSettings

# name: (English label, Chinese label, Chinese help)
FIELDS: dict[str, tuple[str, str, str]] = {
    "dataset": ("Data set", "数据集", "已知的数据集，或 data/ 下的文件夹"),
    "model": ("Network", "网络", "网络结构"),
    "name": ("Run name", "名称", "留空则由网络、数据和时间组成"),
    "epochs": ("Epochs", "轮数 (epochs)", "把训练图片过几遍"),
    "batch_size": ("Batch size", "批大小", "每一步用多少张图"),
    "optimizer": ("Optimizer", "优化器", "把梯度变成参数更新的方法"),
    "lr": ("Learning rate", "学习率", "学习率，即其变化曲线的最高点"),
    "schedule": ("Schedule", "学习率曲线", "学习率如何变化"),
    "augment": ("Augmentation", "数据增强", "对每张训练图做的随机变化"),
    "init": ("Initialisation", "权重初始化", "开始时如何随机产生权重"),
    "momentum": ("Momentum", "动量", "SGD 的动量"),
    "nesterov": ("Nesterov", "Nesterov 动量", "SGD 动量的前瞻形式；其他优化器没有"),
    "weight_decay": ("Weight decay", "权重衰减", "把权重拉向 0 的力度"),
    "label_smoothing": ("Label smoothing", "标签平滑", "把多少标签概率分给所有类别"),
    "warmup_epochs": ("Warm-up epochs", "预热轮数", "学习率从 0 升起所用的轮数"),
    "step_epochs": ("Step: epochs", "阶梯：轮数", "“step”曲线：每隔几轮下降一次"),
    "step_factor": ("Step: factor", "阶梯：倍率", "“step”曲线：每次下降的倍率"),
    "transfer": ("Transfer", "迁移方式", "从头学、只学最后一层，或全部微调"),
    "weights": ("Pre-trained weights", "预训练权重", "weight/ 中的文件，或 imagenet"),
    "backbone_lr_factor": ("Backbone rate factor", "主干学习率倍率", "微调时主干与最后一层学习率之比"),
    "unfreeze_epochs": ("Unfreeze every", "逐层解冻间隔", "微调：每隔几轮解冻一段；0 为一次全部"),
    "augment_views": ("Augmented views", "增强份数", "只学最后一层：每张图保留几份增强后的特征"),
    "image_size": ("Image size", "图像边长", "网络输入的边长（像素）；0 为默认"),
    "val_split": ("Held out for validation", "验证集大小", "留作验证的张数；小于 1 时为比例"),
    "train_images": ("Training images", "训练图片数", "只用这么多张来学；0 为全部"),
    "patience": ("Patience", "耐心 (早停)", "连续几轮没有进步就停止；0 为从不"),
    "time_limit": ("Time limit", "时间上限", "分钟，到时保存并结束；0 为没有"),
    "seed": ("Seed", "随机种子", "让训练可以重复"),
    "device": ("Device", "设备", "在哪里计算"),
    "precision": ("Precision", "数值精度", "计算所用的数字格式"),
    "compile": ("torch.compile", "torch.compile", "编译网络（启动较慢）"),
    "threads": ("Threads", "线程数", "处理器线程数；0 为边跑边测"),
}

# value: (English, Chinese); a value without an entry is shown as it is.
VALUES: dict[str, tuple[str, str]] = {
    "lenet": ("LeNet", "LeNet"),
    "alexnet": ("AlexNet", "AlexNet"),
    "resnet18": ("ResNet18", "ResNet18"),
    "mnist": ("MNIST", "MNIST"),
    "pen-digits": ("pen-digits", "pen-digits（手写笔迹）"),
    "mnist+pen-digits": ("MNIST + pen-digits", "MNIST + pen-digits"),
    "fashion-mnist": ("Fashion-MNIST", "Fashion-MNIST"),
    "cifar10": ("CIFAR-10", "CIFAR-10"),
    "scratch": ("From scratch", "从头训练"),
    "head": ("Head only", "只训练最后一层"),
    "finetune": ("Fine-tune all", "全部微调"),
    "default": ("PyTorch's default", "PyTorch 默认"),
    "kaiming-uniform": ("Kaiming uniform", "Kaiming 均匀"),
    "kaiming-normal": ("Kaiming normal", "Kaiming 正态"),
    "xavier-uniform": ("Xavier uniform", "Xavier 均匀"),
    "xavier-normal": ("Xavier normal", "Xavier 正态"),
    "all-zeros": ("All zeros", "全零"),
    "too-small": ("Too small, N(0,\u00a01e\u20114)", "过小 N(0,\u00a01e\u20114)"),
    "too-large": ("Too large, N(0,\u00a01)", "过大 N(0,\u00a01)"),
    "none": ("None", "无"),
    "pen": ("Pen: bend, slant, thicken", "笔迹：弯曲、倾斜、粗细"),
    "flip": ("Mirror", "左右翻转"),
    "crop-flip": ("Shift and mirror", "平移加翻转"),
    "resized-crop": ("Random crop and mirror", "随机裁剪加翻转"),
    "photo": ("Photo: crop, turn, light", "照片：裁剪、旋转、明暗"),
    "constant": ("Constant", "恒定"),
    "step": ("Step", "阶梯"),
    "cosine": ("Cosine", "余弦"),
    "one-cycle": ("One cycle", "单周期 (one-cycle)"),
    "sgd": ("SGD", "SGD"),
    "adam": ("Adam", "Adam"),
    "adamw": ("AdamW", "AdamW"),
    "auto": ("Automatic", "自动"),
    "cpu": ("CPU", "CPU"),
    "cuda": ("CUDA", "CUDA"),
    "mps": ("Apple GPU (mps)", "Apple GPU (mps)"),
}


def label(name: str, language: str) -> str:
    return FIELDS[name][0 if language == "en" else 1]


def help_text(name: str, language: str) -> str:
    if language == "zh":
        return FIELDS[name][2]
    text = TrainSettings.model_fields[name].description or ""
    return text[:1].upper() + text[1:]


def value_text(value: str, language: str) -> str:
    return VALUES.get(value, (value, value))[0 if language == "en" else 1]
