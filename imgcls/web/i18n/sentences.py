"""What a run and its errors say, in the page's language. English is the log's own and the error's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from imgcls.training import events
from imgcls.training.loggers.console import clock, lines
from imgcls.web.i18n.chinese import chinese


def sentence(english: str, language: str) -> str:
    return chinese(english) if language == "zh" else english


def log_line(event: events.Event, language: str) -> str:
    """One line of the log; empty for what is only of passing interest."""
    if isinstance(event, events.Failed):
        return sentence(event.message, language)
    if language == "zh" and type(event) in _CHINESE:
        return _CHINESE[type(event)](event)
    return "; ".join(lines(event))


def _started(e: events.Started) -> str:
    parts = {"train": "训练", "val": "验证", "test": "测试"}
    images = "、".join(f"{parts.get(p, p)} {count:,} 张" for p, count in e.images.items())
    begin = f"从第 {e.first_step:,} 步继续" if e.first_step else f"训练 {e.run}"
    learns = f"{e.parameters:,} 个参数中有 {e.trainable:,} 个参与学习"
    notes = "".join(f"；注意：{chinese(note)}" for note in e.notes)
    return f"{begin}：{images}，{len(e.classes)} 个类别；{learns}；{e.device}，{e.precision}{notes}"


def _threads(e: events.ThreadsChosen) -> str:
    rates = "，".join(f"{n} 线程 {rate:,.0f}" for n, rate in e.rates.items())
    return f"使用 {e.threads} 个线程（张/秒：{rates}）"


def _progress(e: events.Progress) -> str:
    return (
        f"第 {e.epoch:.2f} 轮  第 {e.step} 步  损失 {e.loss:.4f}  准确率 {e.accuracy:.2%}  "
        f"{e.images_per_second:,.0f} 张/秒  还剩 {clock(e.seconds_left)}"
    )


def _epoch(e: events.EpochEnded) -> str:
    return (
        f"第 {e.epoch} 轮结束：训练损失 {e.train_loss:.4f}，准确率 {e.train_accuracy:.2%}；"
        f"验证损失 {e.val_loss:.4f}，准确率 {e.val_accuracy:.2%}{'（最佳）' if e.best else ''}；"
        f"{e.images_per_second:,.0f} 张/秒，{clock(e.seconds)}"
    )


def _finished(e: events.Finished) -> str:
    why = {"done": "完成", "patience": "久无进步，提前完成", "time_limit": "到达时间上限，完成"}
    test = "" if e.test_accuracy is None else f"，测试准确率 {e.test_accuracy:.2%}"
    return (
        f"{why.get(e.reason, '完成')}：{e.epochs} 轮，用时 {clock(e.seconds)}；"
        f"最佳为第 {e.best_epoch} 轮，验证准确率 {e.best_val_accuracy:.2%}{test}"
    )


def _note(e: events.Note) -> str:
    said = {
        "resuming": "从上次保存处继续",
        "reading": "正在准备图片：{done:,} / {images:,}，只需这一次",
        "caching_features": "冻结的主干正在把图片过一遍：{done:,} / {images:,}",
        "cached_features": "特征已保存，用时 {seconds} 秒",
    }
    return said.get(e.code, e.code).format(**e.values)


_CHINESE: dict[type[events.Event], Callable[[Any], str]] = {
    events.Started: _started,
    events.ThreadsChosen: _threads,
    events.Progress: _progress,
    events.EpochEnded: _epoch,
    events.Finished: _finished,
    events.Note: _note,
    events.Saved: lambda e: "",
    events.Stopped: lambda e: (
        f"已停止并保存：第 {e.step} 步（第 {e.epoch:.2f} 轮）" if e.step else "第一步之前就停止了"
    ),
}
