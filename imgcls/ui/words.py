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
