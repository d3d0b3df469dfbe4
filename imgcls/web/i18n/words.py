"""Every sentence the page says, in English and Chinese. Errors and log lines are in `sentences.py`.

A `Words` speaks one language; a key that is missing is a bug and raises KeyError. Knows nothing of Gradio.
"""

from __future__ import annotations

from dataclasses import dataclass

LANGUAGES = {"en": "English", "zh": "中文"}

TABLE: dict[str, tuple[str, str]] = {
    "title": ("imgcls · image classification lab", "imgcls · 图像分类实验室"),
    "tagline": ("Train a network, then try it on what you draw", "训练一个网络，然后用你画的图来试它"),
    "other_language": ("中文", "English"),
    "classify": ("Classify", "识别"),
    "train": ("Train", "训练"),
    "data": ("Data", "数据"),
    "init_lab": ("Init lab", "初始化实验"),
    # Classify
    "draw": ("Draw", "手绘"),
    "photo": ("Photo", "照片"),
    "undo": ("Undo", "撤销"),
    "clear": ("Clear", "清空"),
    "brush": ("Brush", "笔刷"),
    "fine": ("Fine brush", "细笔"),
    "medium": ("Medium brush", "中笔"),
    "broad": ("Broad brush", "粗笔"),
    "pad_hint": ("Draw a digit, 0 to 9", "写一个数字，0 到 9"),
    "pad_label": (
        "Drawing pad. Draw with mouse, pen or finger. By keyboard: arrow keys move, space puts the pen down and "
        "lifts it, Backspace undoes, Delete clears.",
        "画板。可用鼠标、触控笔或手指书写。键盘：方向键移动，空格落笔或提笔，退格撤销，Delete 清空。",
    ),
    "checkpoint": ("Checkpoint", "检查点"),
    "checkpoint_info": (
        "Every run's best and last weights appear here by themselves",
        "每次训练的最佳与最新权重会自动出现在这里",
    ),
    "shipped_lenet-digits": ("reads drawings", "擅长手绘"),
    "shipped_lenet-mnist": ("MNIST only, to compare", "只学过 MNIST，用来对比"),
    "best": ("best", "最佳"),
    "last": ("last", "最新"),
    "draw_something": ("Draw something", "请先画点什么"),
    "draw_something_more": (
        "The answer appears here while you draw.",
        "一边画，答案一边显示在这里。",
    ),
    "photo_first": ("Choose a photo", "请先选一张照片"),
    "photo_first_more": (
        "Upload a file, paste a picture or use the camera.",
        "上传文件、粘贴图片，或使用摄像头。",
    ),
    "sees": ("What the network saw", "网络真正看到的图"),
    "sees_more": ("{width} × {height} pixels, {colour}", "{width} × {height} 像素，{colour}"),
    "grey": ("grey", "灰度"),
    "colour": ("colour", "彩色"),
    "answer": ("Answer", "答案"),
    "sure": ("{share} sure", "把握 {share}"),
    "no_webcam": (
        "The camera works at http://127.0.0.1 and over https only: from another computer's plain http address, "
        "the browser keeps it closed. Upload a photo instead.",
        "摄像头只能在 http://127.0.0.1 或 https 下使用；用其他电脑的普通 http 地址打开时，"
        "浏览器不允许使用。请改为上传照片。",
    ),
    "no_checkpoint": ("There is no checkpoint yet: train one first.", "还没有检查点，请先训练一个。"),
    # Train
    "what_to_train": ("What to train", "训练什么"),
    "how_to_train": ("How to train it", "怎样训练"),
    "more": ("More settings", "更多设置"),
    "start": ("Start training", "开始训练"),
    "stop": ("Stop and save", "停止并保存"),
    "go_on": ("Go on", "继续训练"),
    "try_it": ("Try it on a drawing", "画一张来试试"),
    "delete": ("Delete", "删除"),
    "delete_sure": ("Delete this run and its checkpoints?", "确定删除这次训练及其检查点吗？"),
    "run": ("Run", "训练记录"),
    "command": ("The same from a terminal", "在终端里做同样的事"),
    "copy": ("Copy", "复制"),
    "no_runs": ("Nothing has been trained yet", "还没有训练过"),
    "no_runs_more": (
        "The settings on the left are ready: press Start training and watch it learn.",
        "左边的设置已经就绪：按“开始训练”，看它如何学习。",
    ),
    "no_runs_more_phone": ("Press Start training and watch it learn.", "按“开始训练”，看它如何学习。"),
    "state_starting": ("Starting", "正在启动"),
    "state_running": ("Running", "训练中"),
    "state_stopping": ("Stopping", "正在停止"),
    "state_finished": ("Finished", "已完成"),
    "state_stopped": ("Stopped", "已停止"),
    "state_failed": ("Failed", "失败"),
    "state_died": ("Ended unexpectedly", "意外结束"),
    "died_more": (
        "The run's process ended without a word: it was killed, or the computer went down. {next}",
        "训练进程没有留下任何消息就结束了：可能被终止，或电脑断电。{next}",
    ),
    "died_go_on": ("What it last saved is safe: press Go on.", "上次保存的内容完好：请按“继续训练”。"),
    "died_lost": ("It had not saved yet: start a new one.", "它还没来得及保存：请重新开始。"),
    "epoch_of": ("Epoch {epoch} of {epochs}", "第 {epoch} 轮，共 {epochs} 轮"),
    "time_left": ("Time left", "剩余时间"),
    "time_taken": ("Time taken", "用时"),
    "speed": ("Speed", "速度"),
    "images_per_second": ("{rate} images/s", "{rate} 张/秒"),
    "val_accuracy": ("Validation accuracy", "验证准确率"),
    "train_accuracy": ("Training accuracy", "训练准确率"),
    "test_accuracy": ("Test accuracy", "测试准确率"),
    "best_epoch": ("best, epoch {epoch}", "最佳，第 {epoch} 轮"),
    "on_images": ("on {images} images", "共 {images} 张图"),
    "loss": ("Loss", "损失"),
    "accuracy": ("Accuracy", "准确率"),
    "curve_train": ("train", "训练"),
    "curve_val": ("validation", "验证"),
    "epochs_axis": ("epochs", "轮"),
    "curves_wait": ("The curves begin with the first steps.", "训练走出头几步后，曲线就会出现。"),
    "log": ("Log", "日志"),
    "minutes": ("{m}:{s:02d}", "{m}:{s:02d}"),
    "hours": ("{h}:{m:02d}:{s:02d}", "{h}:{m:02d}:{s:02d}"),
    "error": ("That did not work", "没有成功"),
    "bug": (
        "Something went wrong inside the lab; the details are in the server's log. Nothing you made is lost.",
        "实验室内部出了问题，详情见服务器日志。你的成果都还在。",
    ),
    "started": ("{run} has started.", "{run} 已开始。"),
    "choose": ("Choose a run first.", "请先选择一次训练。"),
    # what a run would be
    "plan_scratch": ("Learns from scratch:", "从头学习："),
    "plan_head": ("Learns the head only:", "只学最后一层："),
    "plan_finetune": ("Fine-tunes all:", "全部微调："),
    "plan_learns": ("{trainable} of {parameters} parameters in", "{parameters} 个参数中的 {trainable} 个，在"),
    "plan_takes": ("· about {time}", "· 大约 {time}"),
    # Data
    "look": ("Look", "查看"),
    "make_one": ("Make your own", "自己做一个"),
    "data_set": ("Data set", "数据集"),
    "looking": ("Looking through it …", "正在查看……"),
    "looking_at": ("Looking at every image: {done} of {total}", "正在查看每张图：{done} / {total}"),
    "train_on_it": ("Train on it", "用它训练"),
    "delete_set": ("Delete", "删除"),
    "delete_set_sure": ("Delete this data set and its photos?", "确定删除这个数据集及其照片吗？"),
    "recipe_s": ("The recipe's", "按配方"),
    "draw_others": ("Show others", "换一批"),
    "as_network": ("As the network gets them", "网络得到的样子"),
    "images": ("Images", "图片"),
    "classes": ("Classes", "类别"),
    "sizes": ("Size", "尺寸"),
    "sizes_from": ("median; {small} to {large}", "中位数；{small} 到 {large}"),
    "sizes_all": ("every image", "全部图片"),
    "part_train": ("training", "训练"),
    "part_val": ("validation", "验证"),
    "part_test": ("test", "测试"),
    "per_class": ("Images per class", "每个类别的图片数"),
    "more_classes": ("and {count} classes more", "以及另外 {count} 个类别"),
    "findings": ("To know before training", "训练前需要知道"),
    "report_sound": ("Nothing to mend: ready to train.", "没有需要修正的问题，可以训练。"),
    "broken_files": ("Files that cannot be read", "读不出来的文件"),
    "double_files": ("The same image more than once", "重复的图片"),
    "collect": ("Collect photos", "收集照片"),
    "collect_more": (
        "Name a class, then take photos with the camera or drop some in; a refresh loses nothing.",
        "先给类别起名，再用摄像头拍照或拖入照片；刷新页面也不会丢失。",
    ),
    "seen_by_all": (
        "This lab is shared: everybody who opens it can see a saved data set.",
        "这是公共实验室：所有打开它的人都能看到保存的数据集。",
    ),
    "camera_on": ("Camera on", "打开摄像头"),
    "camera_off": ("Camera off", "关闭摄像头"),
    "camera_is_off": ("The camera is off", "摄像头已关闭"),
    "take": ("Take", "拍照"),
    "take_more": ("Hold for a photo every quarter of a second", "按住可每 0.25 秒连拍一张"),
    "drop_here": ("Drop photos here, or click to choose", "把照片拖到这里，或点击选择"),
    "class_name": ("Name of a class, e.g. cat", "类别名称，例如 猫"),
    "add_class": ("Add class", "添加类别"),
    "set_name": ("Name of the data set", "数据集名称"),
    "save_set": ("Save", "保存"),
    "clear_draft": ("Clear", "清空"),
    "clear_draft_sure": ("Throw all these photos away?", "确定丢弃所有这些照片吗？"),
    "remove_class": ("Remove class", "删除类别"),
    "remove_photo": ("Delete this photo", "删除这张照片"),
    "here_go_photos": ("Photos go here", "照片放到这里"),
    "photos_go_here": ("Photos go here now: take or drop some.", "现在照片会放到这里：请拍照或拖入。"),
    "no_photos_yet": ("No photos yet.", "还没有照片。"),
    "two_classes": ("Add at least two classes, with some photos of each.", "至少添加两个类别，每个类别放几张照片。"),
    "no_camera": (
        "The camera could not be opened: allow it in the browser, or drop photos instead.",
        "摄像头打不开：请在浏览器中允许使用，或改为拖入照片。",
    ),
    "not_readable": (
        "{file} cannot be read by this browser: save it as JPEG or PNG.",
        "这个浏览器读不了 {file}：请存为 JPEG 或 PNG。",
    ),
    "no_answer": ("The lab does not answer: is the network there? Try again.", "实验室没有回应：请检查网络后重试。"),
    "upload_zip": ("Upload a zip", "上传 zip"),
    "upload_zip_more": (
        "A folder for each class, or train / val / test folders with those inside.",
        "每个类别一个文件夹，或先分 train / val / test 再分类别。",
    ),
    "unpack": ("Unpack and look", "解压并查看"),
    "unpacked": (
        "{name} is there; {skipped} other files were left out.",
        "{name} 已就绪；略过了 {skipped} 个其他文件。",
    ),
    # Init lab
    "lab": ("Comparison", "对比记录"),
    "lab_what": (
        "The same network, data and seed; only the first weights differ. See what that does.",
        "同样的网络、数据和随机种子，只有初始权重不同，看看会怎样。",
    ),
    "compare": ("Compare", "开始对比"),
    "no_labs": ("Nothing has been compared yet", "还没有对比过"),
    "no_labs_more": (
        "Choose initialisations on the left and press Compare: curves and layers appear here.",
        "在左边选好初始化方法，按“开始对比”：曲线和各层情况会显示在这里。",
    ),
    "waits": ("waits its turn", "等待中"),
    "diverged": ("loss no longer a number", "损失已不是数字"),
    "train_loss": ("Training loss", "训练损失"),
    "layer": ("layer", "层"),
    "signal": ("Signal before the first step", "第一步之前的信号"),
    "signal_more": (
        "standard deviation of each layer's output, its mean beneath: near 1 is sound",
        "各层输出的标准差，下面是均值：接近 1 为好",
    ),
    "gradient": ("Gradient before the first step", "第一步之前的梯度"),
    "gradient_more": (
        "its norm in each layer: too small learns nothing, too large jumps",
        "各层梯度的范数：太小学不动，太大会乱跳",
    ),
    "delete_lab_sure": ("Delete this comparison and its runs?", "确定删除这次对比及其训练吗？"),
    "group_data": ("Data", "数据"),
    "group_model": ("Network", "网络"),
    "group_training": ("Training", "训练"),
    "group_optimizer": ("Optimizer", "优化器"),
    "group_transfer": ("Transfer learning", "迁移学习"),
    "group_run": ("Run", "运行"),
    "group_hardware": ("Hardware", "硬件"),
}


@dataclass(frozen=True)
class Words:
    """`words("start")` is the sentence in this language, with `values` filled in."""

    language: str

    def __call__(self, key: str, **values: object) -> str:
        sentence = TABLE[key][0 if self.language == "en" else 1]
        return sentence.format(**values) if values else sentence

    @property
    def other(self) -> str:
        return "zh" if self.language == "en" else "en"

    def duration(self, seconds: float) -> str:
        whole = max(0, round(seconds))
        h, m, s = whole // 3600, whole // 60 % 60, whole % 60
        return self("hours", h=h, m=m, s=s) if h else self("minutes", m=m, s=s)
