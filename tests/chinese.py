"""What may be Latin in a Chinese sentence: names, file names, commands, and terms that Chinese books keep."""

import re

NAMES = """
    Adam AdamW SGD ReLU LeNet AlexNet ResNet18 MNIST Fashion-MNIST CIFAR-10 pen-digits ImageNet imagenet Kaiming Xavier
    PyTorch torch torch.compile torchvision CUDA GPU CPU Apple mps HEIC JPEG PNG WebP zip http https imgcls one-cycle
    Nesterov epochs NaN GB GiB MB train val test safetensors weight checkpoints cats true false auto fp16 fp32 bf16
    resnet18 alexnet EfficientNet-Lite0 cpu cuda ONNX data/ log.txt Delete a,b,c DATASET best McNemar LayerCAM
    PIL numpy uint8 Gradio KMNIST EMNIST SVHN TrivialAugment tanh sigmoid Ray Keras TorchScript Git LFS Download Raw
    EMA MixUp CutMix
    TensorBoard
""".split()
NAMES += [f"python -m imgcls {command}" for command in ("runs", "fetch", "fetch cifar10")]
NAMES += ["torch.save(model.state_dict(), ...)", "torch.save(model.state_dict(), 'weights.pth')"]
NAMES += ["torch.save(torch.jit.load('{file}').state_dict(), 'weights.pth')", "pip install imgcls[ray]"]
NAMES += ["imgcls runs RUN --add-tag TAG"]
TERMS = re.compile(
    r"`[^`]*`|\{[^}]*\}|https?://[\w.]+|IMGCLS_\w+|--[\w-]+|\w+=|"
    rf"(?<![A-Za-z])(?:{'|'.join(re.escape(name) for name in sorted(NAMES, key=len, reverse=True))})(?![A-Za-z])"
)


def english(sentences):
    """Those in which a word of two letters or more is left that is none of these."""
    return [text for text in sentences if re.search(r"[A-Za-z]{2,}", TERMS.sub("", text))]
