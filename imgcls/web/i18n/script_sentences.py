"""What the page's own scripts say, by the names they use: of the pad, and of the answer and what opens below it."""

from __future__ import annotations

from collections.abc import Mapping

from imgcls.messages import N_
from imgcls.web.i18n.translator import Translator

PAD = {
    "aria": N_(
        "Drawing pad. Draw with mouse, pen or finger. By keyboard: arrow keys move, space puts the pen down "
        "and lifts it, Backspace undoes, Delete clears."
    ),
    "hint": N_("Draw a digit, 0 to 9"),
    "undo": N_("Undo"),
    "clear": N_("Clear"),
    "brush": N_("Brush"),
    "fine": N_("Fine brush"),
    "medium": N_("Medium brush"),
    "broad": N_("Broad brush"),
}
CAMERA = {
    "live": N_("Live camera"),
    "stop": N_("Stop the camera"),
    "hold": N_("Hold this picture"),
    "no_camera": N_("The camera does not open: allow it in the browser, or close what else uses it."),
    "camera_gone": N_("The camera is gone: plug it in again, or choose another, and start it once more."),
    "no_picture": N_("The camera gave no picture: start it once more."),
}
SENTENCES = {
    "sees": N_("What the network saw"),
    "sees_more": N_("{width} × {height} pixels, grey"),
    "sure": N_("confidence {share}"),
    "knows_digits": N_("{checkpoint} knows the digits 0 to 9."),
    "knows": N_("{checkpoint} knows {classes}."),
    "knows_some": N_("{checkpoint} knows {count} classes, among them {classes}."),
    "listed": N_(", "),
    "nothing": N_("Draw something"),
    "nothing_more": N_("The answer appears here while you draw."),
    "examples": N_("Or try one that somebody else wrote"),
    "unsure": N_("Not sure"),
    "nearest": N_("nearest:"),
    "doubt_unfamiliar": N_(
        "{label} gets {share} among the answers it knows, but none fits: this looks like nothing it was trained on."
    ),
    "doubt_dot": N_("This is a dot: draw a whole digit."),
    "doubt_scribble": N_("Too much ink for a digit: clear the paper and draw one with single lines."),
    "close": N_("A close call: {first} or {second}."),
    "no_script": N_("A part of this page could not be loaded: is the lab still open? Reload the page."),
    "no_network": N_("The network could not be fetched: is the lab still open? The next stroke tries again."),
    "inside": N_("Look inside"),
    "inside_nothing": N_("Draw something to see what each layer makes of it."),
    "inside_hint": N_(
        "Point at a pixel: what it saw lights up, and its sum is written out. Click a map of a convolution for its "
        "kernel. By keyboard: Tab goes from layer to layer, arrows from pixel to pixel, Page Up and Page Down from map "
        "to map."
    ),
    "handout": N_("Take it home"),
    "handout_more": N_(
        "This network as one HTML file: it opens in any browser, without the lab and without a network."
    ),
    "why": N_("Why"),
    "why_more": N_(
        "A dark patch of 5 × 5 pixels goes over the picture, and each time the network is asked again. Orange: with "
        "this covered it believes less in the class. Blue: it believes more."
    ),
    "why_about": N_("Which class"),
    "why_text": N_("What {name} hangs on"),
    "why_wait": N_("Asking the network again and again …"),
    "where": N_("On the map"),
    "where_more": N_(
        "Validation images, placed by what the last layer is given: similar images lie close together, each class "
        "in its colour. The black dot is your drawing."
    ),
    "epochs": N_("Epoch by epoch"),
    "epochs_more": N_("What the network made of this drawing before the first step and after each epoch."),
    "epoch": N_("after epoch {epoch}"),
    "epoch_0": N_("before the first step"),
    "play": N_("Play"),
    "pause": N_("Pause"),
    "layer_input": N_("Input"),
    "layer_conv1": N_("Convolution 1"),
    "layer_pool1": N_("Max pool 1"),
    "layer_conv2": N_("Convolution 2"),
    "layer_pool2": N_("Max pool 2"),
    "layer_avg_pool1": N_("Average pool 1"),
    "layer_avg_pool2": N_("Average pool 2"),
    "layer_average": N_("Average"),
    "layer_fc1": N_("Linear 1"),
    "layer_fc2": N_("Linear 2"),
    "layer_fc3": N_("Output"),
    "maps": N_("{count} × {side} × {side}"),
    "units": N_("{count} units"),
    "dead": N_("{count} of {all} silent for every picture"),
    "map_of": N_("{layer}, map {map}"),
    "pixel_of": N_("{layer}, map {map}, row {row}, column {column}:"),
    "unit_of": N_("{layer}, {unit}:"),
    "pixel_short": N_("{layer}, map {map}:"),
    "channel": N_("map {channel}"),
    "bias": N_("bias"),
    "sum": N_("sum"),
    "rest": N_("the other {count}"),
    "kernel": N_("Its kernel, a square for each map before it: blue adds, orange takes away"),
    "exciting": N_("Images of its data set that excite it most"),
    "never": N_("Silent: 0 on every image that was tried"),
}

# Of what is asked of the server, which a handed-out page cannot.
ON_DEMAND = {
    "no_answer": N_("The lab does not answer: is the network there? Try again."),
    "stages_wait": N_("Asking the network …"),
    "stages_nothing": N_("Choose a photo, or draw something, to see what each stage makes of it."),
    "first_maps": N_("First convolution"),
    "stage": N_("Stage {number}"),
    "stage_maps": N_("{shown} of {count} maps, {size}"),
    "stage_answer": N_("Answer"),
    "stages_hint": N_(
        "The strongest maps of each stage, strongest first: dark is 0, white the most. Click one to lay it over the "
        "picture."
    ),
    "stage_map": N_("{stage}, map {map}"),
    "stage_map_more": N_("Where this map answers: orange where it answers most."),
    "stages_why_more": N_(
        "Orange: what counts for this class at this stage (LayerCAM). If the untrained network lights up the same, it "
        "is only edges."
    ),
    "stage_which": N_("At which stage"),
    "other_class": N_("Another class"),
    "looked_at": N_("Where it looks for {name}"),
    "looked_untrained": N_("The same picture through an untrained network"),
    "alike": N_("The training images most like it"),
    "compare": N_("Compare"),
    "compare_more": N_(
        "The same picture through other checkpoints, or through this one's earlier epochs: up to {most} side by side."
    ),
    "compare_same": N_("The same classes"),
    "compare_others": N_("Other classes"),
    "many": N_("Many pictures"),
    "many_drop": N_("Drop pictures, a folder or a zip here, or choose"),
    "many_files": N_("Files or a zip"),
    "many_folder": N_("A folder"),
    "many_reading": N_("{count} of {total} read"),
    "many_done": N_("{count} pictures read by {name} in {seconds} s."),
    "many_most": N_("At most {most} are read in a go: the others were left out."),
    "many_unread": N_("{count} could not be read."),
    "many_blank": N_("{count} without ink: this network reads digits on paper. For photos choose imagenet above."),
    "wrong_use": N_("Use {name}"),
    "many_stopped": N_("Stopped after {count} pictures."),
    "many_name": N_("File"),
    "many_label": N_("Answer"),
    "many_confidence": N_("Confidence"),
    "many_sure": N_("Sure"),
    "empty_file": N_("{file} is empty (0 bytes): save or copy it again."),
    "unreadable_file": N_("{file} cannot be read: it may have been moved, deleted or locked."),
    "no_upload": N_(
        "The files could not be uploaded: they may be too large, or the lab is away. Try again with fewer."
    ),
    "yes": N_("yes"),
    "stop": N_("Stop"),
    "csv": N_("Save as CSV"),
    "more": N_("Show more"),
    "wrong": N_("That was wrong"),
    "wrong_ask": N_("What is it really? One click keeps the picture with that label."),
    "wrong_agree": N_("Others in this lab may see, and learn from, what I keep."),
    "wrong_agree_first": N_("Say first that others may see what you keep."),
    "wrong_set": N_("Kept in"),
    "wrong_kept": N_("Kept as {name} in data/{set}."),
    "wrong_delete": N_("Delete"),
    "wrong_deleted": N_("The picture is deleted."),
    "wrong_learn": N_("Learn from these ({count})"),
    "wrong_save": N_("Save all as a zip"),
    "wrong_learning": N_(
        "{run} learns: a copy of this checkpoint, on its own data and these, with or without this page."
    ),
    "wrong_failed": N_("{run} ended without a checkpoint: its log on the Train tab says why."),
    "undo_keep": N_("Undo"),
    "compare_nothing": N_("Draw something, or choose a photo, to compare."),
}


def in_language(sentences: Mapping[str, str], translate: Translator) -> dict[str, str]:
    """The scripts fill the braces in."""
    return {name: translate(text) for name, text in sentences.items()}
