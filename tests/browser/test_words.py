"""The Chinese page says nothing in English: its text, its labels and tooltips, Gradio's own ones too."""

import re

from chinese import english
from train_form import open_settings

from imgcls.runs import annotations
from imgcls.runs.store import list_runs
from imgcls.workspace import PROJECT, Workspace

TABS = ("识别", "训练", "评估", "数据", "初始化实验")
# What is a value and not a sentence: keys of choices, the network's own layers, the other language's name, a command.
VALUES = {"English", "imgcls", "conv1, conv2, fc1, fc2, fc3", "conv1", "conv2", "fc1", "fc2", "fc3"}
FOLDERS = ("train_logs", "checkpoints", "data", "weight")
SEEN = """() => {
  const said = new Set();
  const walk = node => {
    if (node.nodeType === Node.TEXT_NODE) said.add(node.data.trim());
    if (node.nodeType !== Node.ELEMENT_NODE) return;
    if (node.matches('script, style, noscript, code, pre, option, input[type=checkbox], input[type=radio]')) return;
    for (const name of ['aria-label', 'title', 'placeholder', 'alt']) said.add((node.getAttribute(name) || '').trim());
    node.childNodes.forEach(walk);
  };
  walk(document.body);
  return [...said];
}"""


def said(page):
    return {text for text in page.evaluate(SEEN) if text} - VALUES


def without_names(said, root):
    """Without what people called something: runs, data sets, files. A part of a longer word is none."""
    called = {path.name for home in (root, PROJECT) for folder in FOLDERS for path in (home / folder).glob("*")}
    for log in root.glob("train_logs/*/events.jsonl"):  # a run that was renamed says its first name there
        called |= set(re.findall(r'"run": *"([^"]+)"', log.read_text("utf-8")))
    for run in list_runs(Workspace(root)):
        tags = annotations.read(run).tags
        called |= {*tags, ",".join(tags)}
    called |= {part for name in called for part in (name[:-16], name[-16:])} - {""}  # All runs cuts them in two
    names = "|".join(re.escape(name) for name in sorted(called, key=len, reverse=True))
    return sorted(re.sub(rf"(?<![\w-])(?:{names})(?![\w-])", "", text) for text in said)


def test_every_word_of_the_chinese_page(page, server):
    page.goto(server.url + "/zh/")
    page.wait_for_selector("#pad canvas")
    seen = set()
    for tab in TABS:
        page.get_by_role("tab", name=tab, exact=True).first.click()
        page.wait_for_timeout(500)
        seen |= said(page)
    page.get_by_role("tab", name="训练", exact=True).first.click()
    open_settings(page)
    for panel in ("#sweeps", "#runs-table"):
        page.locator(f"{panel} summary").first.click()
    page.locator("#runs-table .rt-choose label").first.wait_for(state="attached")
    # Gradio's own word while an answer is waited for, which its Chinese catalog lacks.
    page.wait_for_function("!document.body.textContent.includes('In queue')")
    seen |= said(page)
    page.get_by_role("tab", name="数据", exact=True).first.click()
    page.get_by_test_id("samples").wait_for()
    seen |= said(page)
    page.get_by_role("tab", name="自己做一个", exact=True).first.click()
    page.get_by_text("上传 zip", exact=True).wait_for()
    seen |= said(page)
    page.get_by_role("tab", name="识别", exact=True).first.click()
    page.get_by_role("tab", name="照片", exact=True).first.click()
    page.get_by_label("用摄像头拍照").click()
    page.get_by_text("点击打开摄像头").wait_for()
    seen |= said(page)
    assert len(seen) > 100 and not english(without_names(seen, server.root))


def test_a_toast_shows_markup_as_text(page, server):
    """Gradio's toasts are HTML: what a person typed would be part of it, and the sentence's end was lost."""
    page.goto(server.url + "/zh/")
    page.get_by_role("tab", name="训练", exact=True).first.click()
    page.get_by_label("数据集", exact=True).first.fill("<img src=x>")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="开始训练").click()
    toast = page.get_by_test_id("toast-body")
    toast.wait_for()
    assert "没有成功" in toast.inner_text() and "Error" not in toast.inner_text()
    assert "没有数据集“<img src=x>”" in toast.inner_text() and toast.inner_text().endswith("的路径。")
    assert not toast.locator("img").count()
