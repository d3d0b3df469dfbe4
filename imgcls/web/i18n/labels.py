"""How settings, their values and a run's states are called on the page. A test asks for every setting.

Names underneath stay those of the command line. Help is the setting's own, in `settings.py`.
"""

from __future__ import annotations

from imgcls.messages import N_

LABELS: dict[str, str] = {
    "preset": N_("Preset"),
    "dataset": N_("Data set"),
    "model": N_("Network"),
    "name": N_("Run name"),
    "epochs": N_("Epochs"),
    "batch_size": N_("Batch size"),
    "optimizer": N_("Optimizer"),
    "lr": N_("Learning rate"),
    "schedule": N_("Schedule"),
    "augment": N_("Augmentation"),
    "activation": N_("Activation"),
    "pool": N_("Pooling"),
    "init": N_("Initialisation"),
    "balance": N_("Class balance"),
    "momentum": N_("Momentum"),
    "nesterov": N_("Nesterov"),
    "weight_decay": N_("Weight decay"),
    "label_smoothing": N_("Label smoothing"),
    "clip_norm": N_("Largest gradient norm"),
    "ema": N_("Averaged weights (EMA)"),
    "accumulate": N_("Parts of a batch"),
    "warmup_epochs": N_("Warm-up epochs"),
    "step_epochs": N_("Step schedule: epochs"),
    "step_factor": N_("Step schedule: factor"),
    "transfer": N_("Transfer"),
    "weights": N_("Pre-trained weights"),
    "start_from": N_("Learn on from"),
    "corrections": N_("Corrections"),
    "backbone_lr_factor": N_("Backbone rate factor"),
    "unfreeze_epochs": N_("Unfreeze every"),
    "augment_views": N_("Augmented views"),
    "image_size": N_("Image size"),
    "val_split": N_("Held out for validation"),
    "train_images": N_("Training images"),
    "flip_labels": N_("Flipped labels"),
    "patience": N_("Patience"),
    "keep_epochs": N_("Keep every epoch"),
    "time_limit": N_("Time limit"),
    "seed": N_("Seed"),
    "device": N_("Device"),
    "precision": N_("Numeric precision"),
    "compile": N_("torch.compile"),
    "sync_batchnorm": N_("Synchronised BatchNorm"),
    "threads": N_("Threads"),
    "inits": N_("Initialisation"),
}

GROUPS: dict[str, str] = {
    "data": N_("Data"),
    "model": N_("Network"),
    "training": N_("Training"),
    "optimizer": N_("Optimizer"),
    "transfer": N_("Transfer learning"),
    "run": N_("This run"),
    "hardware": N_("Hardware"),
}

# Networks, data sets, optimizers and augmentations are called as their rows say. A value without an entry is shown as
# it is; a name that is the same in every language stands without N_.
VALUES: dict[str, str] = {
    "sprint": N_("Sprint"),
    "standard": N_("Standard"),
    "thorough": N_("Thorough"),
    "scratch": N_("From scratch"),
    "head": N_("Last layer only (head)"),
    "finetune": N_("Fine-tune every layer"),
    "default": N_("PyTorch's default"),
    "kaiming-uniform": N_("Kaiming uniform"),
    "kaiming-normal": N_("Kaiming normal"),
    "xavier-uniform": N_("Xavier uniform"),
    "xavier-normal": N_("Xavier normal"),
    "all-zeros": N_("All zeros"),
    "too-small": N_("Too small, N(0,\u00a01e\u20114)"),
    "too-large": N_("Too large, N(0,\u00a01)"),
    "relu": "ReLU",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "max": N_("Largest value"),
    "avg": N_("Average"),
    "none": N_("None"),
    "constant": N_("Constant"),
    "step": N_("Step"),
    "cosine": N_("Cosine"),
    "one-cycle": N_("One cycle"),
    "weights": N_("Weights in the loss"),
    "sampling": N_("Each class equally often"),
    "auto": N_("Automatic"),
    "cpu": "CPU",
    "cuda": "CUDA",
    "mps": "Apple GPU (mps)",
}

PARTS: dict[str, str] = {
    "train": N_("training"),
    "val": N_("validation"),
    "test": N_("test"),
}

STATES: dict[str, str] = {
    "starting": N_("Starting"),
    "running": N_("Running"),
    "stopping": N_("Stopping"),
    "finished": N_("Finished"),
    "stopped": N_("Stopped"),
    "failed": N_("Failed"),
    "queued": N_("Waiting"),
    "interrupted": N_("Interrupted"),
}
