"""torchvision's networks as a table, so that a page can list them without importing torch.

Parameters, accuracy, sizes and files are those of torchvision's default weights (`get_model_weights(name).DEFAULT`); a
test compares every line. `smallest` was found by a training step on ever smaller images.
"""

from __future__ import annotations

from typing import NamedTuple

from imgcls.imaging.preprocess import Interpolation


class Row(NamedTuple):
    """`accuracy`: top-1 on ImageNet-1K in percent; `native`: side of the images that the weights learnt from, cut from
    `resize`; `multiple`: what a side has to be a multiple of."""

    name: str
    parameters: int
    accuracy: float
    native: int
    resize: int
    interpolation: Interpolation
    smallest: int
    multiple: int
    file: str


TABLE = (
    Row("convnext_base", 88_591_464, 84.062, 224, 232, "bilinear", 32, 1, "convnext_base-6075fbad.pth"),
    Row("convnext_large", 197_767_336, 84.414, 224, 232, "bilinear", 32, 1, "convnext_large-ea097f82.pth"),
    Row("convnext_small", 50_223_688, 83.616, 224, 230, "bilinear", 32, 1, "convnext_small-0c510722.pth"),
    Row("convnext_tiny", 28_589_128, 82.52, 224, 236, "bilinear", 32, 1, "convnext_tiny-983f1562.pth"),
    Row("densenet121", 7_978_856, 74.434, 224, 256, "bilinear", 29, 1, "densenet121-a639ec97.pth"),
    Row("densenet161", 28_681_000, 77.138, 224, 256, "bilinear", 29, 1, "densenet161-8d451a50.pth"),
    Row("densenet169", 14_149_480, 75.6, 224, 256, "bilinear", 29, 1, "densenet169-b2777c0a.pth"),
    Row("densenet201", 20_013_928, 76.896, 224, 256, "bilinear", 29, 1, "densenet201-c1103571.pth"),
    Row("efficientnet_b0", 5_288_548, 77.692, 224, 256, "bicubic", 16, 1, "efficientnet_b0_rwightman-7f5810bc.pth"),
    Row("efficientnet_b1", 7_794_184, 79.838, 240, 255, "bilinear", 16, 1, "efficientnet_b1-c27df63c.pth"),
    Row("efficientnet_b2", 9_109_994, 80.608, 288, 288, "bicubic", 16, 1, "efficientnet_b2_rwightman-c35c1473.pth"),
    Row("efficientnet_b3", 12_233_232, 82.008, 300, 320, "bicubic", 16, 1, "efficientnet_b3_rwightman-b3899882.pth"),
    Row("efficientnet_b4", 19_341_616, 83.384, 380, 384, "bicubic", 16, 1, "efficientnet_b4_rwightman-23ab8bcd.pth"),
    Row("efficientnet_b5", 30_389_784, 83.444, 456, 456, "bicubic", 16, 1, "efficientnet_b5_lukemelas-1a07897c.pth"),
    Row("efficientnet_b6", 43_040_704, 84.008, 528, 528, "bicubic", 16, 1, "efficientnet_b6_lukemelas-24a108a5.pth"),
    Row("efficientnet_b7", 66_347_960, 84.122, 600, 600, "bicubic", 16, 1, "efficientnet_b7_lukemelas-c5b4e57e.pth"),
    Row("efficientnet_v2_l", 118_515_272, 85.808, 480, 480, "bicubic", 16, 1, "efficientnet_v2_l-59c71312.pth"),
    Row("efficientnet_v2_m", 54_139_356, 85.112, 480, 480, "bilinear", 16, 1, "efficientnet_v2_m-dc08266a.pth"),
    Row("efficientnet_v2_s", 21_458_488, 84.228, 384, 384, "bilinear", 16, 1, "efficientnet_v2_s-dd5fe13b.pth"),
    Row("googlenet", 6_624_904, 69.778, 224, 256, "bilinear", 16, 1, "googlenet-1378be20.pth"),
    Row("inception_v3", 27_161_264, 77.294, 299, 342, "bilinear", 75, 1, "inception_v3_google-0cc3c7bd.pth"),
    Row("maxvit_t", 30_919_624, 83.7, 224, 224, "bicubic", 224, 224, "maxvit_t-bc5ab103.pth"),
    Row("mnasnet0_5", 2_218_512, 67.734, 224, 256, "bilinear", 16, 1, "mnasnet0.5_top1_67.823-3ffadce67e.pth"),
    Row("mnasnet0_75", 3_170_208, 71.18, 224, 232, "bilinear", 16, 1, "mnasnet0_75-7090bc5f.pth"),
    Row("mnasnet1_0", 4_383_312, 73.456, 224, 256, "bilinear", 16, 1, "mnasnet1.0_top1_73.512-f206786ef8.pth"),
    Row("mnasnet1_3", 6_282_256, 76.506, 224, 232, "bilinear", 16, 1, "mnasnet1_3-a4c69d6f.pth"),
    Row("mobilenet_v2", 3_504_872, 72.154, 224, 232, "bilinear", 16, 1, "mobilenet_v2-7ebf99e0.pth"),
    Row("mobilenet_v3_large", 5_483_032, 75.274, 224, 232, "bilinear", 16, 1, "mobilenet_v3_large-5c1a4163.pth"),
    Row("mobilenet_v3_small", 2_542_856, 67.668, 224, 256, "bilinear", 16, 1, "mobilenet_v3_small-047dcff4.pth"),
    Row("regnet_x_16gf", 54_278_536, 82.716, 224, 232, "bilinear", 16, 1, "regnet_x_16gf-ba3796d7.pth"),
    Row("regnet_x_1_6gf", 9_190_136, 79.668, 224, 232, "bilinear", 16, 1, "regnet_x_1_6gf-a12f2b72.pth"),
    Row("regnet_x_32gf", 107_811_560, 83.014, 224, 232, "bilinear", 16, 1, "regnet_x_32gf-6eb8fdc6.pth"),
    Row("regnet_x_3_2gf", 15_296_552, 81.196, 224, 232, "bilinear", 16, 1, "regnet_x_3_2gf-7071aa85.pth"),
    Row("regnet_x_400mf", 5_495_976, 74.864, 224, 232, "bilinear", 16, 1, "regnet_x_400mf-62229a5f.pth"),
    Row("regnet_x_800mf", 7_259_656, 77.522, 224, 232, "bilinear", 16, 1, "regnet_x_800mf-94a99ebd.pth"),
    Row("regnet_x_8gf", 39_572_648, 81.682, 224, 232, "bilinear", 16, 1, "regnet_x_8gf-2b70d774.pth"),
    Row("regnet_y_128gf", 644_812_894, 88.228, 384, 384, "bicubic", 16, 1, "regnet_y_128gf_swag-c8ce3e52.pth"),
    Row("regnet_y_16gf", 83_590_140, 82.886, 224, 232, "bilinear", 16, 1, "regnet_y_16gf-3e4a00f9.pth"),
    Row("regnet_y_1_6gf", 11_202_430, 80.876, 224, 232, "bilinear", 16, 1, "regnet_y_1_6gf-0d7bc02a.pth"),
    Row("regnet_y_32gf", 145_046_770, 83.368, 224, 232, "bilinear", 16, 1, "regnet_y_32gf-8db6d4b5.pth"),
    Row("regnet_y_3_2gf", 19_436_338, 81.982, 224, 232, "bilinear", 16, 1, "regnet_y_3_2gf-9180c971.pth"),
    Row("regnet_y_400mf", 4_344_144, 75.804, 224, 232, "bilinear", 16, 1, "regnet_y_400mf-e6988f5f.pth"),
    Row("regnet_y_800mf", 6_432_512, 78.828, 224, 232, "bilinear", 16, 1, "regnet_y_800mf-58fc7688.pth"),
    Row("regnet_y_8gf", 39_381_472, 82.828, 224, 232, "bilinear", 16, 1, "regnet_y_8gf-dc2b1b54.pth"),
    Row("resnet101", 44_549_160, 81.886, 224, 232, "bilinear", 16, 1, "resnet101-cd907fc2.pth"),
    Row("resnet152", 60_192_808, 82.284, 224, 232, "bilinear", 16, 1, "resnet152-f82ba261.pth"),
    Row("resnet34", 21_797_672, 73.314, 224, 256, "bilinear", 16, 1, "resnet34-b627a593.pth"),
    Row("resnet50", 25_557_032, 80.858, 224, 232, "bilinear", 16, 1, "resnet50-11ad3fa6.pth"),
    Row("resnext101_32x8d", 88_791_336, 82.834, 224, 232, "bilinear", 16, 1, "resnext101_32x8d-110c445d.pth"),
    Row("resnext101_64x4d", 83_455_272, 83.246, 224, 232, "bilinear", 16, 1, "resnext101_64x4d-173b62eb.pth"),
    Row("resnext50_32x4d", 25_028_904, 81.198, 224, 232, "bilinear", 16, 1, "resnext50_32x4d-1a0047aa.pth"),
    Row("shufflenet_v2_x0_5", 1_366_792, 60.552, 224, 256, "bilinear", 16, 1, "shufflenetv2_x0.5-f707e7126e.pth"),
    Row("shufflenet_v2_x1_0", 2_278_604, 69.362, 224, 256, "bilinear", 16, 1, "shufflenetv2_x1-5666bf0f80.pth"),
    Row("shufflenet_v2_x1_5", 3_503_624, 72.996, 224, 232, "bilinear", 16, 1, "shufflenetv2_x1_5-3c479a10.pth"),
    Row("shufflenet_v2_x2_0", 7_393_996, 76.23, 224, 232, "bilinear", 16, 1, "shufflenetv2_x2_0-8be3c8ee.pth"),
    Row("squeezenet1_0", 1_248_424, 58.092, 224, 256, "bilinear", 21, 1, "squeezenet1_0-b66bff10.pth"),
    Row("squeezenet1_1", 1_235_496, 58.178, 224, 256, "bilinear", 17, 1, "squeezenet1_1-b8a52dc0.pth"),
    Row("swin_b", 87_768_224, 83.582, 224, 238, "bicubic", 16, 1, "swin_b-68c6b09e.pth"),
    Row("swin_s", 49_606_258, 83.196, 224, 246, "bicubic", 16, 1, "swin_s-5e29d889.pth"),
    Row("swin_t", 28_288_354, 81.474, 224, 232, "bicubic", 16, 1, "swin_t-704ceda3.pth"),
    Row("swin_v2_b", 87_930_848, 84.112, 256, 272, "bicubic", 16, 1, "swin_v2_b-781e5279.pth"),
    Row("swin_v2_s", 49_737_442, 83.712, 256, 260, "bicubic", 16, 1, "swin_v2_s-637d8ceb.pth"),
    Row("swin_v2_t", 28_351_570, 82.072, 256, 260, "bicubic", 16, 1, "swin_v2_t-b137f0e2.pth"),
    Row("vgg11", 132_863_336, 69.02, 224, 256, "bilinear", 32, 1, "vgg11-8a719046.pth"),
    Row("vgg11_bn", 132_868_840, 70.37, 224, 256, "bilinear", 32, 1, "vgg11_bn-6002323d.pth"),
    Row("vgg13", 133_047_848, 69.928, 224, 256, "bilinear", 32, 1, "vgg13-19584684.pth"),
    Row("vgg13_bn", 133_053_736, 71.586, 224, 256, "bilinear", 32, 1, "vgg13_bn-abd245e5.pth"),
    Row("vgg16", 138_357_544, 71.592, 224, 256, "bilinear", 32, 1, "vgg16-397923af.pth"),
    Row("vgg16_bn", 138_365_992, 73.36, 224, 256, "bilinear", 32, 1, "vgg16_bn-6c64b313.pth"),
    Row("vgg19", 143_667_240, 72.376, 224, 256, "bilinear", 32, 1, "vgg19-dcbb9e9d.pth"),
    Row("vgg19_bn", 143_678_248, 74.218, 224, 256, "bilinear", 32, 1, "vgg19_bn-c79401a0.pth"),
    Row("vit_b_16", 86_567_656, 81.072, 224, 256, "bilinear", 16, 16, "vit_b_16-c867db91.pth"),
    Row("vit_b_32", 88_224_232, 75.912, 224, 256, "bilinear", 32, 32, "vit_b_32-d86f8d99.pth"),
    Row("vit_h_14", 633_470_440, 88.552, 518, 518, "bicubic", 28, 14, "vit_h_14_swag-80465313.pth"),
    Row("vit_l_16", 304_326_632, 79.662, 224, 242, "bilinear", 16, 16, "vit_l_16-852ce7e3.pth"),
    Row("vit_l_32", 306_535_400, 76.972, 224, 256, "bilinear", 32, 32, "vit_l_32-c7638314.pth"),
    Row("wide_resnet101_2", 126_886_696, 82.51, 224, 232, "bilinear", 16, 1, "wide_resnet101_2-d733dc28.pth"),
    Row("wide_resnet50_2", 68_883_240, 81.602, 224, 232, "bilinear", 16, 1, "wide_resnet50_2-9ba9bcbe.pth"),
)
