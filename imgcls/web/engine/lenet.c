// LeNet learns here: forward, backward and the optimizer's step, as WebAssembly for the page.
//
// The network is models/lenet.py: conv1 5x5, activation, pool, conv2 5x5, activation, pool, fc1 120, fc2 84, fc3. One
// instance of the module holds one network, its data and its optimizer. Nothing is imported: no clock, no randomness of
// the machine, so that a seed decides every bit.
//
// How numbers lie in memory. LANES images lie side by side in a vector, so that a convolution is plain multiply-adds:
//
//   what                        layout                                     type
//   input, conv, pool           [block][channel][row][column]              f8: one number of each of 8 images
//   into and out of fc layers   [image][unit], units padded to UNIT_STEP   float
//   kernels of convolutions     [output][input][5][5], as torch            float
//   weights of fc layers        [input][output], outputs padded            float (torch has [output][input])
//   digits                      [image][channel][row][column]              unsigned char
//   exchange with JavaScript    a state_dict's tensors one after another   float, torch's order and layout
//
// A batch is worked on in chunks of CHUNK images, whose activations stay in the processor's cache; gradients add up
// over the chunks. Lanes beyond the last image hold zeros and get no gradient.

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned long size_t;
typedef float f4 __attribute__((vector_size(16)));
typedef float f4u __attribute__((vector_size(16), aligned(4)));
typedef int i4 __attribute__((vector_size(16)));
typedef struct {
  f4 low, high;
} f8;

#define EXPORT(name) __attribute__((export_name(name)))
#define INLINE static inline __attribute__((always_inline))

enum { LANES = 8, CHUNK = 64, BLOCKS = CHUNK / LANES, UNIT_STEP = 8 };
enum { PLANE = 32, CONV1 = 28, POOL1 = 14, CONV2 = 10, POOL2 = 5, KERNEL = 5, TAPS = 25, FC1 = 120, FC2 = 84 };
enum { RELU, TANH, SIGMOID };
enum { MAX_POOL, AVERAGE_POOL };
enum { SGD, ADAM, ADAMW };
enum { LAYERS = 5, TENSORS = 2 * LAYERS, HISTOGRAM = 24, FIGURES = 6 + HISTOGRAM };
enum { WEIGHTS, GRADIENTS, FIRST_MOMENT, SECOND_MOMENT, BEFORE, COPIES };  // of all parameters

// ---- arithmetic

#ifdef __wasm_relaxed_simd__
INLINE f4 madd4(f4 a, f4 b, f4 sum) { return __builtin_wasm_relaxed_madd_f32x4(a, b, sum); }
#else
INLINE f4 madd4(f4 a, f4 b, f4 sum) { return sum + a * b; }
#endif
INLINE f4 splat(float a) { return (f4){a, a, a, a}; }
INLINE f4 load(const float *at) { return *(const f4u *)at; }
INLINE void store(float *at, f4 v) { *(f4u *)at = v; }
INLINE f8 splat8(float a) { return (f8){splat(a), splat(a)}; }
INLINE f8 madd(f8 a, f4 b, f8 sum) { return (f8){madd4(a.low, b, sum.low), madd4(a.high, b, sum.high)}; }
INLINE float sum4(f4 v) { return (v[0] + v[1]) + (v[2] + v[3]); }
INLINE f4 choose(i4 mask, f4 yes, f4 no) { return (f4)(((i4)yes & mask) | ((i4)no & ~mask)); }
INLINE f4 where(i4 mask, f4 v) { return (f4)((i4)v & mask); }
// One instruction; the first operand is kept where it is no number, so that a diverged network shows in its loss.
INLINE f4 larger(f4 a, f4 b) { return __builtin_wasm_pmax_f32x4(a, b); }
INLINE f4 smaller(f4 a, f4 b) { return __builtin_wasm_pmin_f32x4(a, b); }
INLINE float root(float x) { return __builtin_sqrtf(x); }
INLINE float floored(float x) { return __builtin_floorf(x); }
INLINE int padded(int units) { return (units + UNIT_STEP - 1) / UNIT_STEP * UNIT_STEP; }

void *memset(void *to, int value, size_t bytes) {
  u8 *at = to;
  for (size_t i = 0; i < bytes; i++) at[i] = (u8)value;
  return to;
}

void *memcpy(void *to, const void *from, size_t bytes) {
  u8 *at = to;
  const u8 *read = from;
  for (size_t i = 0; i < bytes; i++) at[i] = read[i];
  return to;
}

// e^x to 2e-7 relative; 0 below -87, e^88 above 88.
static float exponential(float x) {
  if (x != x) return x;
  if (x < -87) return 0;
  if (x > 88) x = 88;
  float n = floored(x * 1.44269504f + 0.5f);
  float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1 + r * (1 + r * (.5f + r * (1.6666667e-1f + r * (4.1666667e-2f + r * (8.3333333e-3f + r * 1.3888889e-3f)))));
  union {
    u32 bits;
    float value;
  } power = {(u32)((int)n + 127) << 23};
  return p * power.value;
}

static float logarithm(float x) {  // of a positive number
  union {
    float value;
    u32 bits;
  } split = {x};
  int exponent = (int)(split.bits >> 23) - 127;
  split.bits = (split.bits & 0x7fffff) | 0x3f800000;
  float m = split.value;
  if (m > 1.41421356f) {
    m *= 0.5f;
    exponent++;
  }
  float y = (m - 1) / (m + 1), y2 = y * y;
  return exponent * 0.69314718f + 2 * y * (1 + y2 * (1.f / 3 + y2 * (.2f + y2 * (1.f / 7 + y2 * (1.f / 9)))));
}

// Hyperbolic tangent to 4e-7 relative, small numbers too. Source: Eigen's ptanh, a rational approximation.
static f4 tangent(f4 x) {
  i4 number = x == x;
  f4 v = larger(smaller(x, splat(7.90531110f)), splat(-7.90531110f)), v2 = v * v;
  f4 p = splat(-2.76076847742355e-16f);
  p = p * v2 + 2.00018790482477e-13f;
  p = p * v2 + -8.60467152213735e-11f;
  p = p * v2 + 5.12229709037114e-08f;
  p = p * v2 + 1.48572235717979e-05f;
  p = p * v2 + 6.37261928875436e-04f;
  p = p * v2 + 4.89352455891786e-03f;
  f4 q = splat(1.19825839466702e-06f);
  q = q * v2 + 1.18534705686654e-04f;
  q = q * v2 + 2.26843463243900e-03f;
  q = q * v2 + 4.89352518554385e-03f;
  return choose(number, v * p / q, x);
}

INLINE f4 activated(f4 x, int activation) {
  if (activation == TANH) return tangent(x);
  if (activation == SIGMOID) return splat(.5f) + splat(.5f) * tangent(x * splat(.5f));
  return larger(x, splat(0));
}

// The activation's slope, from what it gave.
INLINE f4 slope(f4 out, int activation) {
  if (activation == TANH) return splat(1) - out * out;
  if (activation == SIGMOID) return out * (splat(1) - out);
  return where(out > splat(0), splat(1));
}

// ---- random numbers: PCG-XSH-RR 64/32. Source: O'Neill 2014

static u64 random_state;

static u32 random_bits(void) {
  u64 old = random_state;
  random_state = old * 6364136223846793005ull + 1442695040888963407ull;
  u32 mixed = (u32)(((old >> 18) ^ old) >> 27), turn = (u32)(old >> 59);
  return (mixed >> turn) | (mixed << (-turn & 31));
}

static void seed_random(u32 seed, u32 stream) {
  random_state = ((u64)stream << 32 | seed) * 0x9e3779b97f4a7c15ull + 1;
  for (int i = 0; i < 4; i++) random_bits();
}

static float uniform(float low, float high) { return low + (high - low) * ((random_bits() >> 8) * (1.f / 16777216)); }

static float normal(void) {  // Marsaglia's polar method
  for (;;) {
    float a = uniform(-1, 1), b = uniform(-1, 1), s = a * a + b * b;
    if (s > 0 && s < 1) return a * root(-2 * logarithm(s) / s);
  }
}

// ---- the network

typedef struct {
  int inputs, outputs, stride;  // stride: floats between two inputs of an fc layer, two outputs of a convolution
  int weight, bias;             // where they begin among the parameters
} Layer;

static struct {
  int channels, side, classes, width1, width2, activation, pool;
  int parameters;  // floats of one copy, padding included
  Layer layer[LAYERS];
  float *copy[COPIES];
  float *exchange;
  float scale[3], shift[3];  // pixel * scale + shift is what the network sees
  f8 *input[BLOCKS], *conv1[BLOCKS], *pool1[BLOCKS], *conv2[BLOCKS], *pool2[BLOCKS];
  f8 *to_conv1, *to_pool1, *to_conv2;                            // gradients of one block
  float *flat, *raw1, *out1, *raw2, *out2, *logits;              // [CHUNK][padded units]
  float *to_flat, *to_fc1, *to_fc2, *to_logits, *turned[LAYERS]; // gradients; weights [output][input]
  u8 *images, *labels;
  u32 *order, *predicted;
  int count, learnt;  // images that are there; how many of them, from the first on, are learnt
  int kind, nesterov, augment, watched, chunk_images, steps_taken;
  float momentum, weight_decay, smoothing;
  int correct;
} net;

static u32 next_byte;
extern u8 __heap_base;

static void *reserve(u32 bytes) {
  if (!next_byte) next_byte = (u32)(size_t)&__heap_base;
  u32 at = (next_byte + 63) & ~63u, end = at + bytes, there = __builtin_wasm_memory_size(0) << 16;
  if (end > there && __builtin_wasm_memory_grow(0, (end - there + 65535) >> 16) == (size_t)-1) __builtin_trap();
  next_byte = end;
  return memset((void *)(size_t)at, 0, bytes);
}

static float *floats(int count) { return reserve((u32)count * 4); }
static f8 *lanes(int count) { return reserve((u32)count * sizeof(f8)); }
INLINE int is_linear(int layer) { return layer >= 2; }
INLINE int weights_of(const Layer *layer, int linear) {
  return linear ? layer->inputs * layer->stride : layer->outputs * layer->stride;
}

static int place_layer(int index, int inputs, int outputs, int at) {
  Layer *layer = &net.layer[index];
  int linear = is_linear(index);
  *layer = (Layer){inputs, outputs, linear ? padded(outputs) : inputs * TAPS, at, 0};
  layer->bias = at + padded(weights_of(layer, linear));
  return layer->bias + padded(outputs);
}

static void reserve_activations(void) {
  for (int q = 0; q < BLOCKS; q++) {
    net.input[q] = lanes(net.channels * PLANE * PLANE);
    net.conv1[q] = lanes(net.width1 * CONV1 * CONV1);
    net.pool1[q] = lanes(net.width1 * POOL1 * POOL1);
    net.conv2[q] = lanes(net.width2 * CONV2 * CONV2);
    net.pool2[q] = lanes(net.width2 * POOL2 * POOL2);
  }
  net.to_conv1 = lanes(net.width1 * CONV1 * CONV1);
  net.to_pool1 = lanes(net.width1 * POOL1 * POOL1);
  net.to_conv2 = lanes(net.width2 * CONV2 * CONV2);
  int flat = net.layer[2].inputs, last = padded(net.classes);
  net.flat = floats(CHUNK * flat), net.to_flat = floats(CHUNK * flat);
  net.raw1 = floats(CHUNK * padded(FC1)), net.out1 = floats(CHUNK * padded(FC1)), net.to_fc1 = floats(CHUNK * padded(FC1));
  net.raw2 = floats(CHUNK * padded(FC2)), net.out2 = floats(CHUNK * padded(FC2)), net.to_fc2 = floats(CHUNK * padded(FC2));
  net.logits = floats(CHUNK * last), net.to_logits = floats(CHUNK * last);
  for (int i = 2; i < LAYERS; i++) net.turned[i] = floats(padded(net.layer[i].outputs) * padded(net.layer[i].inputs));
}

// Makes the network; once in an instance's life. Returns how many floats a state_dict has.
EXPORT("create") int create(int channels, int side, int classes, int width1, int width2, int activation, int pool) {
  net.channels = channels, net.side = side, net.classes = classes, net.width1 = width1, net.width2 = width2;
  net.activation = activation, net.pool = pool;
  int at = place_layer(0, channels, width1, 0);
  at = place_layer(1, width1, width2, at);
  at = place_layer(2, width2 * POOL2 * POOL2, FC1, at);
  at = place_layer(3, FC1, FC2, at);
  net.parameters = place_layer(4, FC2, classes, at);
  int exchanged = 0;
  for (int i = 0; i < LAYERS; i++) {
    Layer *layer = &net.layer[i];
    exchanged += layer->inputs * layer->outputs * (is_linear(i) ? 1 : TAPS) + layer->outputs;
  }
  for (int i = 0; i < COPIES; i++) net.copy[i] = floats(net.parameters);
  net.exchange = floats(exchanged);
  reserve_activations();
  return exchanged;
}

EXPORT("exchange") float *exchange(void) { return net.exchange; }

// Room for so many images, of which the first `learnt` are trained on. Once in an instance's life.
EXPORT("reserve_images") u8 *reserve_images(int count, int learnt) {
  net.count = count, net.learnt = learnt;
  net.images = reserve((u32)count * net.channels * net.side * net.side);
  net.labels = reserve(count), net.order = reserve(4 * count), net.predicted = reserve(4 * count);
  for (int i = 0; i < count; i++) net.order[i] = i;
  return net.images;
}

EXPORT("labels") u8 *labels(void) { return net.labels; }
EXPORT("order") u32 *order(void) { return net.order; }
EXPORT("predicted") u32 *predicted(void) { return net.predicted; }
EXPORT("logits") float *logits(void) { return net.logits; }
EXPORT("correct") int correct(void) { return net.correct; }

EXPORT("normalise") void normalise(int channel, float mean, float deviation) {
  net.scale[channel] = 1 / (255 * deviation);
  net.shift[channel] = -mean / deviation;
}

// Between a copy of the parameters and the exchange, which has torch's order and layout.
static void exchanged(int copy, int in) {
  float *other = net.exchange, *own = net.copy[copy];
  for (int i = 0; i < LAYERS; i++) {
    const Layer *layer = &net.layer[i];
    int linear = is_linear(i), each = linear ? layer->inputs : layer->stride;
    for (int o = 0; o < layer->outputs; o++)
      for (int k = 0; k < each; k++, other++) {
        float *here = own + layer->weight + (linear ? k * layer->stride + o : o * layer->stride + k);
        if (in) *here = *other;
        else *other = *here;
      }
    for (int o = 0; o < layer->outputs; o++, other++) {
      if (in) own[layer->bias + o] = *other;
      else *other = own[layer->bias + o];
    }
  }
}

EXPORT("load") void load_copy(int copy) { exchanged(copy, 1); }
EXPORT("store") void store_copy(int copy) { exchanged(copy, 0); }

// ---- initialisations: models/init.py

enum { DEFAULT, KAIMING_UNIFORM, KAIMING_NORMAL, XAVIER_UNIFORM, XAVIER_NORMAL, ALL_ZEROS, TOO_SMALL, TOO_LARGE };

static float drawn(int init, int linear, float fan_in, float fan_out) {
  float bound = root(6 / fan_in), both = 2 / (fan_in + fan_out);
  switch (init) {
    case DEFAULT: return uniform(-1, 1) / root(fan_in);
    case KAIMING_UNIFORM: return uniform(-bound, bound);
    case KAIMING_NORMAL: return normal() * (linear ? 0.01f : root(2 / fan_out));
    case XAVIER_UNIFORM: return uniform(-1, 1) * root(3 * both);
    case XAVIER_NORMAL: return normal() * root(both);
    case TOO_SMALL: return normal() * 1e-4f;
    case TOO_LARGE: return normal();
    default: return 0;
  }
}

EXPORT("initialise") void initialise(int init, u32 seed) {
  seed_random(seed, 0);
  for (int i = 0; i < COPIES; i++) memset(net.copy[i], 0, 4 * net.parameters);
  net.steps_taken = 0;
  float *own = net.copy[WEIGHTS];
  for (int i = 0; i < LAYERS; i++) {
    const Layer *layer = &net.layer[i];
    int linear = is_linear(i), taps = linear ? 1 : TAPS;
    float fan_in = layer->inputs * taps, fan_out = layer->outputs * taps;
    for (int o = 0; o < layer->outputs; o++)
      for (int k = 0; k < layer->inputs * taps; k++) {
        int at = linear ? k * layer->stride + o : o * layer->stride + k;
        own[layer->weight + at] = drawn(init, linear, fan_in, fan_out);
      }
    if (init == DEFAULT)
      for (int o = 0; o < layer->outputs; o++) own[layer->bias + o] = uniform(-1, 1) / root(fan_in);
  }
}

// ---- random changes of images: data/augmentation.py and data/pen_augmentation.py

enum { PLAIN, PEN, FLIP, CROP_FLIP };
enum { KNOTS = 5, PEN_FACTORS = 7 + 2 * KNOTS * KNOTS };  // angle, slant, scale, aspect, shift x and y, stroke, knots

static float pen_factors[PEN_FACTORS], knot_weight[PLANE][KNOTS];
static float changed[3 * PLANE * PLANE], moved[PLANE * PLANE], neighbours[PLANE * PLANE];

static float cubic(float x) {  // the bicubic kernel with a = -0.75, as torch's
  if (x < 0) x = -x;
  if (x <= 1) return ((1.25f * x - 2.25f) * x) * x + 1;
  return x < 2 ? ((-0.75f * x + 3.75f) * x - 6) * x + 3 : 0;
}

// How much each of KNOTS values along a side has in the bicubic enlargement to `side` pixels.
static void weigh_knots(int side) {
  memset(knot_weight, 0, sizeof knot_weight);
  for (int x = 0; x < side; x++) {
    float at = x * (KNOTS - 1.f) / (side - 1);
    int left = (int)at;
    for (int k = left - 1; k <= left + 2; k++) {
      int knot = k < 0 ? 0 : k >= KNOTS ? KNOTS - 1 : k;
      knot_weight[x][knot] += cubic(at - k);
    }
  }
}

static void draw_pen_factors(void) {
  const float turn = 0.20943951f, shift = 1.6f / 14, bend = 1.7f / 14;
  float *f = pen_factors;
  f[0] = uniform(-turn, turn), f[1] = uniform(-.3f, .3f), f[2] = uniform(.82f, 1.12f), f[3] = uniform(.85f, 1.15f);
  f[4] = uniform(-shift, shift), f[5] = uniform(-shift, shift), f[6] = uniform(-1, 1);
  for (int i = 7; i < PEN_FACTORS; i++) f[i] = uniform(-bend, bend);
}

INLINE float pixel(const u8 *image, int side, int y, int x) {
  return (unsigned)y < (unsigned)side && (unsigned)x < (unsigned)side ? image[y * side + x] * (1.f / 255) : 0;
}

static float between_pixels(const u8 *image, int side, float x, float y) {
  float left = floored(x), top = floored(y), dx = x - left, dy = y - top;
  int u = (int)left, v = (int)top;
  float above = pixel(image, side, v, u) * (1 - dx) + pixel(image, side, v, u + 1) * dx;
  float below = pixel(image, side, v + 1, u) * (1 - dx) + pixel(image, side, v + 1, u + 1) * dx;
  return above * (1 - dy) + below * dy;
}

// Turned, slanted, scaled, shifted and bent, into `moved`; returns the brightest pixel.
static float bend(const u8 *image, int side, const float *f) {
  float a2 = f[0] * f[0], sine = f[0] * (1 - a2 * (1.f / 6 - a2 * (1.f / 120))), cosine = 1 - a2 * (.5f - a2 * (1.f / 24 - a2 * (1.f / 720)));
  float stretch = root(f[3]), wide = f[2] * stretch, high = f[2] / stretch, slant = f[1];
  float xx = cosine / wide + slant * sine / high, xy = sine / wide - slant * cosine / high;
  float yx = -sine / high, yy = cosine / high, most = 0;
  for (int y = 0; y < side; y++) {
    float row[2][KNOTS], v = (2 * y + 1.f) / side - 1;
    for (int d = 0; d < 2; d++)
      for (int j = 0; j < KNOTS; j++) {
        row[d][j] = 0;
        for (int i = 0; i < KNOTS; i++) row[d][j] += knot_weight[y][i] * f[7 + (d * KNOTS + i) * KNOTS + j];
      }
    for (int x = 0; x < side; x++) {
      float u = (2 * x + 1.f) / side - 1, gx = xx * u + xy * v + f[4], gy = yx * u + yy * v + f[5];
      for (int j = 0; j < KNOTS; j++) gx += knot_weight[x][j] * row[0][j], gy += knot_weight[x][j] * row[1][j];
      float ink = between_pixels(image, side, ((gx + 1) * side - 1) * .5f, ((gy + 1) * side - 1) * .5f);
      moved[y * side + x] = ink;
      if (ink > most) most = ink;
    }
  }
  return most;
}

INLINE float extreme(float a, float b, int largest) { return (a > b) == largest ? a : b; }

// Each pixel, the one before and the one after it in its row (`step` 1) or column (`step` side): the largest or smallest.
static float among(const float *image, int side, int y, int x, int down, int largest) {
  int at = y * side + x, place = down ? y : x, step = down ? side : 1;
  float v = image[at];
  if (place > 0) v = extreme(image[at - step], v, largest);
  if (place < side - 1) v = extreme(image[at + step], v, largest);
  return v;
}

// A thicker or thinner stroke, of `moved` into `to`, as dark as before; pixels 0 to 255.
static void change_stroke(int side, float amount, float before, float *to) {
  float after = 0;
  if (amount > 0)
    for (int i = 0; i < side * side; i++) neighbours[i] = among(moved, side, i / side, i % side, 0, 1);
  for (int y = 0; y < side; y++)
    for (int x = 0; x < side; x++) {
      float ink = moved[y * side + x];
      if (amount > 0) ink += amount * .9f * (among(neighbours, side, y, x, 1, 1) - ink);
      else {
        float across = among(moved, side, y, x, 0, 0), down = among(moved, side, y, x, 1, 0);
        ink += amount * .45f * (ink - (across < down ? across : down));
      }
      to[y * side + x] = ink;
      if (ink > after) after = ink;
    }
  float back = before / (after > 1e-3f ? after : 1e-3f);
  for (int i = 0; i < side * side; i++) {
    float ink = to[i] * back;
    to[i] = 255 * (ink < 0 ? 0 : ink > 1 ? 1 : ink);
  }
}

static void change_with_pen(const u8 *image) {
  int side = net.side;
  if (!knot_weight[0][0]) weigh_knots(side);
  for (int c = 0; c < net.channels; c++) {
    float before = bend(image + c * side * side, side, pen_factors);
    change_stroke(side, pen_factors[6], before, changed + c * side * side);
  }
}

INLINE int mirrored(int at, int side) { return at < 0 ? -at : at >= side ? 2 * (side - 1) - at : at; }

static void crop_and_flip(const u8 *image, int crop) {
  int side = net.side, most = side / 8, flip = random_bits() & 1, down = 0, across = 0;
  if (crop) {
    down = (int)floored(uniform(0, 2 * most + 1)) - most;
    across = (int)floored(uniform(0, 2 * most + 1)) - most;
  }
  for (int c = 0; c < net.channels; c++)
    for (int y = 0; y < side; y++)
      for (int x = 0; x < side; x++) {
        int u = mirrored(x + across, side), v = mirrored(y + down, side);
        changed[(c * side + y) * side + x] = image[(c * side + v) * side + (flip ? side - 1 - u : u)];
      }
}

EXPORT("pen_factors") float *factors(void) { return pen_factors; }
EXPORT("pen") float *pen(int index) {
  change_with_pen(net.images + index * net.channels * net.side * net.side);
  return changed;
}

// ---- forward

// Image `index` of the data into one lane of a block; changed at random where `augment` says so.
static void fill_lane(f8 *block, int lane, u32 index, int augment) {
  int side = net.side, border = (PLANE - side) / 2, pixels = net.channels * side * side;
  const u8 *image = net.images + index * pixels;
  if (augment == PEN) {
    draw_pen_factors();
    change_with_pen(image);
  } else if (augment != PLAIN) crop_and_flip(image, augment == CROP_FLIP);
  for (int c = 0; c < net.channels; c++) {
    float scale = net.scale[c], shift = net.shift[c];
    for (int y = 0; y < side; y++) {
      float *to = (float *)(block + (c * PLANE + y + border) * PLANE + border) + lane;
      const u8 *plain = image + (c * side + y) * side;
      const float *other = changed + (c * side + y) * side;
      if (augment == PLAIN)
        for (int x = 0; x < side; x++) to[x * LANES] = plain[x] * scale + shift;
      else
        for (int x = 0; x < side; x++) to[x * LANES] = other[x] * scale + shift;
    }
  }
}

static void fill_chunk(const u32 *indices, int count, int augment) {
  for (int q = 0; q * LANES < count; q++)
    for (int lane = 0; lane < LANES; lane++) {
      int i = q * LANES + lane;
      if (i < count) fill_lane(net.input[q], lane, indices[i], augment);
      else
        for (int k = 0; k < net.channels * PLANE * PLANE; k++) ((float *)(net.input[q] + k))[lane] = 0;
    }
}

// `group` outputs at a time: their sums stay in registers, and what is read serves all of them.
INLINE void convolve_group(const f8 *in, int inputs, int wide, f8 *out, int side, const float *w, const float *bias,
                           const int group) {
  for (int y = 0; y < side; y++)
    for (int x = 0; x < side; x++) {
      f8 sum[8];
      for (int o = 0; o < group; o++) sum[o] = splat8(bias[o]);
      for (int c = 0; c < inputs; c++)
        for (int ky = 0; ky < KERNEL; ky++) {
          const f8 *row = in + (c * wide + y + ky) * wide + x;
          const float *tap = w + (c * KERNEL + ky) * KERNEL;
          for (int kx = 0; kx < KERNEL; kx++) {
            f8 v = row[kx];
            for (int o = 0; o < group; o++) sum[o] = madd(v, splat(tap[o * inputs * TAPS + kx]), sum[o]);
          }
        }
      for (int o = 0; o < group; o++) out[(o * side + y) * side + x] = sum[o];
    }
}

static void convolve(const f8 *in, int index, int wide, f8 *out, int side) {
  const Layer *layer = &net.layer[index];
  const float *w = net.copy[WEIGHTS] + layer->weight, *bias = net.copy[WEIGHTS] + layer->bias;
  if (layer->outputs == 6) convolve_group(in, layer->inputs, wide, out, side, w, bias, 6);
  else
    for (int o = 0; o < layer->outputs; o += 8)
      convolve_group(in, layer->inputs, wide, out + o * side * side, side, w + o * layer->stride, bias + o, 8);
}

INLINE f4 largest4(f4 a, f4 b, f4 c, f4 d) { return larger(larger(a, b), larger(c, d)); }

// The activation comes after a maximum: the same values as before it, on a quarter of the numbers.
INLINE void max_pool(const f8 *in, int channels, int wide, f8 *out, int activation) {
  int side = wide / 2;
  for (int c = 0; c < channels; c++)
    for (int y = 0; y < side; y++)
      for (int x = 0; x < side; x++) {
        const f8 *r = in + (c * wide + 2 * y) * wide + 2 * x;
        f4 low = largest4(r[0].low, r[1].low, r[wide].low, r[wide + 1].low);
        f4 high = largest4(r[0].high, r[1].high, r[wide].high, r[wide + 1].high);
        *out++ = (f8){activated(low, activation), activated(high, activation)};
      }
}

// An average is one of activated numbers.
static void average_pool(const f8 *in, int channels, int wide, f8 *out) {
  int side = wide / 2, activation = net.activation;
  f4 quarter = splat(.25f);
  for (int c = 0; c < channels; c++)
    for (int y = 0; y < side; y++)
      for (int x = 0; x < side; x++) {
        const f8 *r = in + (c * wide + 2 * y) * wide + 2 * x, *s = r + wide;
        f4 low = (activated(r[0].low, activation) + activated(r[1].low, activation)) +
                 (activated(s[0].low, activation) + activated(s[1].low, activation));
        f4 high = (activated(r[0].high, activation) + activated(r[1].high, activation)) +
                  (activated(s[0].high, activation) + activated(s[1].high, activation));
        *out++ = (f8){low * quarter, high * quarter};
      }
}

static void pool(const f8 *in, int channels, int wide, f8 *out) {
  if (net.pool == AVERAGE_POOL) average_pool(in, channels, wide, out);
  else if (net.activation == RELU) max_pool(in, channels, wide, out, RELU);
  else max_pool(in, channels, wide, out, net.activation);
}

// C[n][m] = bias[m] + sum over k of a[n * row + k * column] * b[k][m], or added to C. N in fours, M in eights.
static void multiply(float *c, int m_count, const float *a, int row, int column, const float *b, int n_count, int k_count,
                     const float *bias, int add) {
  for (int m = 0; m < m_count; m += 8)
    for (int n = 0; n < n_count; n += 4) {
      f4 sum[4][2];
      for (int i = 0; i < 4; i++)
        for (int j = 0; j < 2; j++) {
          const float *old = c + (n + i) * m_count + m + 4 * j;
          sum[i][j] = bias ? load(bias + m + 4 * j) : add ? load(old) : splat(0);
        }
      const float *bp = b + m, *ap = a + n * row;
      for (int k = 0; k < k_count; k++, bp += m_count, ap += column) {
        f4 b0 = load(bp), b1 = load(bp + 4);
        for (int i = 0; i < 4; i++) {
          f4 x = splat(ap[i * row]);
          sum[i][0] = madd4(x, b0, sum[i][0]);
          sum[i][1] = madd4(x, b1, sum[i][1]);
        }
      }
      for (int i = 0; i < 4; i++)
        for (int j = 0; j < 2; j++) store(c + (n + i) * m_count + m + 4 * j, sum[i][j]);
    }
}

static void activate(const float *raw, float *out, int count) {
  if (net.activation == RELU)
    for (int i = 0; i < count; i += 4) store(out + i, activated(load(raw + i), RELU));
  else
    for (int i = 0; i < count; i += 4) store(out + i, activated(load(raw + i), net.activation));
}

static void linear(const float *in, int stride, int index, float *out, int rows) {
  const Layer *layer = &net.layer[index];
  const float *own = net.copy[WEIGHTS];
  multiply(out, layer->stride, in, stride, 1, own + layer->weight, rows, layer->inputs, own + layer->bias, 0);
}

// The chunk in net.input, so many images of it, forward to net.logits.
static void forward(int count) {
  int blocks = (count + LANES - 1) / LANES, rows = blocks * LANES, flat = net.layer[2].inputs;
  for (int q = 0; q < blocks; q++) {
    convolve(net.input[q], 0, PLANE, net.conv1[q], CONV1);
    pool(net.conv1[q], net.width1, CONV1, net.pool1[q]);
    convolve(net.pool1[q], 1, POOL1, net.conv2[q], CONV2);
    pool(net.conv2[q], net.width2, CONV2, net.pool2[q]);
    for (int i = 0; i < flat; i++)
      for (int lane = 0; lane < LANES; lane++)
        net.flat[(q * LANES + lane) * flat + i] = ((float *)(net.pool2[q] + i))[lane];
  }
  linear(net.flat, flat, 2, net.raw1, rows);
  activate(net.raw1, net.out1, rows * padded(FC1));
  linear(net.out1, padded(FC1), 3, net.raw2, rows);
  activate(net.raw2, net.out2, rows * padded(FC2));
  linear(net.out2, padded(FC2), 4, net.logits, rows);
  net.chunk_images = count;
}

// Cross-entropy of the chunk, added up; counts what is right. `share`: what an image's gradient is divided by, or 0.
static double judge(const u32 *indices, int count, int batch) {
  int stride = padded(net.classes), classes = net.classes;
  double loss = 0;
  memset(net.to_logits, 0, 4 * stride * ((count + LANES - 1) / LANES * LANES));
  for (int n = 0; n < count; n++) {
    float *z = net.logits + n * stride, *to = net.to_logits + n * stride, most = z[0], sum = 0;
    int label = net.labels[indices[n]], best = 0;
    for (int k = 1; k < classes; k++)
      if (z[k] > most) most = z[k], best = k;
    for (int k = 0; k < classes; k++) sum += to[k] = exponential(z[k] - most);
    loss += logarithm(sum) - (z[label] - most);
    net.correct += best == label;
    net.predicted[indices[n]] = best;
    float spread = net.smoothing / classes;
    for (int k = 0; k < classes; k++)
      to[k] = (to[k] / sum - spread - (k == label ? 1 - net.smoothing : 0)) / batch;
  }
  return loss;
}

// ---- backward

static float *gradients(void) { return net.copy[GRADIENTS]; }

static void turn_weights(int index) {
  const Layer *layer = &net.layer[index];
  const float *w = net.copy[WEIGHTS] + layer->weight;
  int wide = padded(layer->inputs);
  for (int k = 0; k < layer->inputs; k++)
    for (int o = 0; o < layer->outputs; o++) net.turned[index][o * wide + k] = w[k * layer->stride + o];
}

// Gradients of an fc layer's weights and biases, and of what it was given.
static void linear_backward(int index, const float *in, int stride, const float *to, float *to_in, int rows) {
  const Layer *layer = &net.layer[index];
  float *g = gradients();
  multiply(g + layer->weight, layer->stride, in, 1, stride, to, layer->inputs, rows, 0, 1);
  for (int n = 0; n < rows; n++)
    for (int o = 0; o < layer->stride; o++) g[layer->bias + o] += to[n * layer->stride + o];
  multiply(to_in, padded(layer->inputs), to, layer->stride, 1, net.turned[index], rows, layer->outputs, 0, 0);
}

static void slope_backward(float *to, const float *out, int count) {
  for (int i = 0; i < count; i += 4) store(to + i, load(to + i) * slope(load(out + i), net.activation));
}

// The gradient `g` of a maximum to the four numbers that it was taken of: the first largest one has all of it.
INLINE void unpool4(f4 a, f4 b, f4 c, f4 d, f4 g, f4 to[4]) {
  f4 most = largest4(a, b, c, d);
  i4 first = a == most, second = (b == most) & ~first, third = (c == most) & ~(first | second);
  to[0] = where(first, g), to[1] = where(second, g), to[2] = where(third, g);
  to[3] = where(~(first | second | third), g);
}

// `to_out` -> gradients of the convolution's output and, added up, of its biases.
INLINE void max_unpool(const f8 *in, const f8 *out, const f8 *to_out, int channels, int wide, f8 *to_in, float *to_bias,
                       int activation) {
  int side = wide / 2;
  for (int c = 0; c < channels; c++) {
    f4 bias = splat(0);
    for (int y = 0; y < side; y++)
      for (int x = 0; x < side; x++, out++, to_out++) {
        int at = (c * wide + 2 * y) * wide + 2 * x;
        const f8 *r = in + at;
        f4 low[4], high[4];
        f4 g = to_out->low * slope(out->low, activation), h = to_out->high * slope(out->high, activation);
        unpool4(r[0].low, r[1].low, r[wide].low, r[wide + 1].low, g, low);
        unpool4(r[0].high, r[1].high, r[wide].high, r[wide + 1].high, h, high);
        to_in[at] = (f8){low[0], high[0]}, to_in[at + 1] = (f8){low[1], high[1]};
        to_in[at + wide] = (f8){low[2], high[2]}, to_in[at + wide + 1] = (f8){low[3], high[3]};
        bias += g + h;
      }
    to_bias[c] += sum4(bias);
  }
}

// The same of an average; activating once more is sooner than keeping what it was made of.
static void average_unpool(const f8 *in, const f8 *to_out, int channels, int wide, f8 *to_in, float *to_bias) {
  int side = wide / 2, activation = net.activation, corners[4] = {0, 1, wide, wide + 1};
  for (int c = 0; c < channels; c++) {
    f4 bias = splat(0);
    for (int y = 0; y < side; y++)
      for (int x = 0; x < side; x++, to_out++) {
        f4 g = to_out->low * splat(.25f), h = to_out->high * splat(.25f);
        for (int i = 0; i < 4; i++) {
          int at = (c * wide + 2 * y) * wide + 2 * x + corners[i];
          f4 low = g * slope(activated(in[at].low, activation), activation);
          f4 high = h * slope(activated(in[at].high, activation), activation);
          to_in[at] = (f8){low, high};
          bias += low + high;
        }
      }
    to_bias[c] += sum4(bias);
  }
}

static void unpool(const f8 *in, const f8 *out, const f8 *to_out, int channels, int wide, f8 *to_in, float *to_bias) {
  if (net.pool == AVERAGE_POOL) average_unpool(in, to_out, channels, wide, to_in, to_bias);
  else if (net.activation == RELU) max_unpool(in, out, to_out, channels, wide, to_in, to_bias, RELU);
  else max_unpool(in, out, to_out, channels, wide, to_in, to_bias, net.activation);
}

// Half a vector at a time: ten sums, two gradients and what is read fit into sixteen registers.
static void kernel_gradients(int index, const f8 *in, int wide, const f8 *to, int side) {
  const Layer *layer = &net.layer[index];
  float *g = gradients() + layer->weight;
  for (int o = 0; o < layer->outputs; o += 2)
    for (int c = 0; c < layer->inputs; c++)
      for (int ky = 0; ky < KERNEL; ky++) {
        f4 sum[2][KERNEL];
        for (int kx = 0; kx < KERNEL; kx++) sum[0][kx] = sum[1][kx] = splat(0);
        for (int half = 0; half < 2; half++)
          for (int y = 0; y < side; y++) {
            const f4 *row = (const f4 *)(in + (c * wide + y + ky) * wide) + half;
            const f4 *d0 = (const f4 *)(to + (o * side + y) * side) + half, *d1 = d0 + 2 * side * side;
            for (int x = 0; x < side; x++) {
              f4 a = d0[2 * x], b = d1[2 * x];
              for (int kx = 0; kx < KERNEL; kx++) {
                f4 v = row[2 * (x + kx)];
                sum[0][kx] = madd4(v, a, sum[0][kx]);
                sum[1][kx] = madd4(v, b, sum[1][kx]);
              }
            }
          }
        float *at = g + o * layer->stride + (c * KERNEL + ky) * KERNEL;
        for (int kx = 0; kx < KERNEL; kx++) {
          at[kx] += sum4(sum[0][kx]);
          at[layer->stride + kx] += sum4(sum[1][kx]);
        }
      }
}

// What conv2 was given, `group` of its inputs at a time: each number gathers from all outputs that it went into.
INLINE void gather_group(const f8 *to, int outputs, const float *w, int stride, f8 *to_in, const int group) {
  for (int y = 0; y < POOL1; y++)
    for (int x = 0; x < POOL1; x++) {
      f8 sum[8];
      for (int c = 0; c < group; c++) sum[c] = splat8(0);
      int top = y >= CONV2 ? y - CONV2 + 1 : 0, bottom = y < KERNEL ? y : KERNEL - 1;
      int left = x >= CONV2 ? x - CONV2 + 1 : 0, right = x < KERNEL ? x : KERNEL - 1;
      for (int o = 0; o < outputs; o++)
        for (int ky = top; ky <= bottom; ky++) {
          const f8 *row = to + (o * CONV2 + y - ky) * CONV2 + x;
          const float *tap = w + o * stride + ky * KERNEL;
          for (int kx = left; kx <= right; kx++) {
            f8 v = row[-kx];
            for (int c = 0; c < group; c++) sum[c] = madd(v, splat(tap[c * TAPS + kx]), sum[c]);
          }
        }
      for (int c = 0; c < group; c++) to_in[(c * POOL1 + y) * POOL1 + x] = sum[c];
    }
}

static void conv2_input_gradients(void) {
  const Layer *layer = &net.layer[1];
  const float *w = net.copy[WEIGHTS] + layer->weight;
  if (layer->inputs == 6) gather_group(net.to_conv2, layer->outputs, w, layer->stride, net.to_pool1, 6);
  else
    for (int c = 0; c < layer->inputs; c += 8)
      gather_group(net.to_conv2, layer->outputs, w + c * TAPS, layer->stride, net.to_pool1 + c * POOL1 * POOL1, 8);
}

static void block_backward(int q) {
  int flat = net.layer[2].inputs;
  f8 *to_pool2 = net.to_conv1;  // free until conv1's turn, and larger
  for (int i = 0; i < flat; i++)
    for (int lane = 0; lane < LANES; lane++)
      ((float *)(to_pool2 + i))[lane] = net.to_flat[(q * LANES + lane) * flat + i];
  float *g = gradients();
  unpool(net.conv2[q], net.pool2[q], to_pool2, net.width2, CONV2, net.to_conv2, g + net.layer[1].bias);
  kernel_gradients(1, net.pool1[q], POOL1, net.to_conv2, CONV2);
  conv2_input_gradients();
  unpool(net.conv1[q], net.pool1[q], net.to_pool1, net.width1, CONV1, net.to_conv1, g + net.layer[0].bias);
  kernel_gradients(0, net.input[q], PLANE, net.to_conv1, CONV1);
}

static void backward(int count) {
  int blocks = (count + LANES - 1) / LANES, rows = blocks * LANES;
  linear_backward(4, net.out2, padded(FC2), net.to_logits, net.to_fc2, rows);
  slope_backward(net.to_fc2, net.out2, rows * padded(FC2));
  linear_backward(3, net.out1, padded(FC1), net.to_fc2, net.to_fc1, rows);
  slope_backward(net.to_fc1, net.out1, rows * padded(FC1));
  linear_backward(2, net.flat, net.layer[2].inputs, net.to_fc1, net.to_flat, rows);
  for (int q = 0; q < blocks; q++) block_backward(q);
}

// ---- learning

EXPORT("optimizer") void optimizer(int kind, float momentum, int nesterov, float weight_decay, float smoothing, int augment) {
  net.kind = kind, net.momentum = momentum, net.nesterov = nesterov, net.weight_decay = weight_decay;
  net.smoothing = smoothing, net.augment = augment;
}

EXPORT("steps_taken") int steps_taken(void) { return net.steps_taken; }
EXPORT("go_on_from") void go_on_from(int steps) { net.steps_taken = steps; }
EXPORT("watch") void watch(int watched) { net.watched = watched; }

static void descend(float rate) {
  float *w = net.copy[WEIGHTS], *g = gradients(), *first = net.copy[FIRST_MOMENT];
  f4 keep = splat(net.momentum), decay = splat(net.weight_decay), lr = splat(rate);
  for (int i = 0; i < net.parameters; i += 4) {
    f4 d = load(g + i) + decay * load(w + i);
    if (net.momentum) {
      f4 v = keep * load(first + i) + d;
      store(first + i, v);
      d = net.nesterov ? d + keep * v : v;
    }
    store(w + i, load(w + i) - lr * d);
  }
}

static double raised(double base, int power) {
  double out = 1;
  for (; power; power >>= 1, base *= base)
    if (power & 1) out *= base;
  return out;
}

static void adapt(float rate) {  // Adam. Source: Kingma & Ba 2015; AdamW's decay: Loshchilov & Hutter 2019
  float *w = net.copy[WEIGHTS], *g = gradients(), *first = net.copy[FIRST_MOMENT], *second = net.copy[SECOND_MOMENT];
  float unbias1 = (float)(1 - raised(.9, net.steps_taken));
  float unbias2 = (float)__builtin_sqrt(1 - raised(.999, net.steps_taken));
  float coupled = net.kind == ADAM ? net.weight_decay : 0, shrink = net.kind == ADAMW ? 1 - rate * net.weight_decay : 1;
  for (int i = 0; i < net.parameters; i += 4) {
    f4 old = load(w + i), d = load(g + i) + splat(coupled) * old;
    f4 m = load(first + i) + splat(.1f) * (d - load(first + i));
    f4 v = splat(.999f) * load(second + i) + splat(.001f) * d * d;
    store(first + i, m), store(second + i, v);
    f4 size = __builtin_wasm_sqrt_f32x4(v) / splat(unbias2) + splat(1e-8f);
    store(w + i, old * splat(shrink) - splat(rate / unbias1) * m / size);
  }
}

// The loss of a batch and its gradients, without a step: images order[start] to order[start + count - 1].
EXPORT("gradients") float find_gradients(int start, int count) {
  double loss = 0;
  memset(gradients(), 0, 4 * net.parameters);
  net.correct = 0;
  for (int i = 2; i < LAYERS; i++) turn_weights(i);
  for (int done = 0; done < count; done += CHUNK) {
    int images = count - done < CHUNK ? count - done : CHUNK;
    const u32 *indices = net.order + start + done;
    fill_chunk(indices, images, net.augment);
    forward(images);
    loss += judge(indices, images, count);
    backward(images);
  }
  return (float)(loss / count);
}

// One step; returns the batch's loss.
EXPORT("step") float step(int start, int count, float rate) {
  float loss = find_gradients(start, count);
  if (net.watched) memcpy(net.copy[BEFORE], net.copy[WEIGHTS], 4 * net.parameters);
  net.steps_taken++;
  if (net.kind == SGD) descend(rate);
  else adapt(rate);
  return loss;
}

// The order of an epoch depends on seed and epoch alone, and so do the random changes of its images.
EXPORT("shuffle") void shuffle(u32 seed, u32 epoch) {
  seed_random(seed, epoch + 1);
  for (int i = 0; i < net.learnt; i++) net.order[i] = i;
  for (int i = net.learnt - 1; i > 0; i--) {
    int j = (int)((u64)random_bits() * (u32)(i + 1) >> 32);
    u32 kept = net.order[i];
    net.order[i] = net.order[j], net.order[j] = kept;
  }
}

// In the middle of an epoch: the random changes of a step depend on seed, epoch and step.
EXPORT("begin_step") void begin_step(u32 seed, u32 epoch, u32 number) { seed_random(seed ^ number * 0x9e3779b9u, epoch + 1); }

// The mean loss of these images as they are; counts what is right, and leaves `predicted`.
EXPORT("evaluate") float evaluate(int first, int count) {
  double loss = 0;
  net.correct = 0;
  u32 indices[CHUNK];
  for (int done = 0; done < count; done += CHUNK) {
    int images = count - done < CHUNK ? count - done : CHUNK;
    for (int i = 0; i < images; i++) indices[i] = first + done + i;
    fill_chunk(indices, images, PLAIN);
    forward(images);
    loss += judge(indices, images, count);
  }
  return (float)(loss / count);
}

// ---- what the layers do: training/layer_statistics.py, on the last chunk that went forward

typedef struct {
  const f8 *const *blocks;  // [block][unit][place], lanes; or
  const float *rows;        // [image][stride]
  int units, places, stride, margin;  // margin: of an input's plane, which is no image
} Values;

INLINE float value(const Values *v, int unit, int place, int image) {
  if (v->rows) return v->rows[image * v->stride + unit];
  if (v->margin) {
    int side = PLANE - 2 * v->margin;
    place = (place / side + v->margin) * PLANE + place % side + v->margin;
  }
  int size = v->margin ? PLANE * PLANE : v->places;
  return ((const float *)(v->blocks[image / LANES] + unit * size + place))[image % LANES];
}

static void moments(const Values *v, double *mean, double *deviation, double *dead) {
  double sum = 0, squares = 0, count = (double)v->units * v->places * net.chunk_images;
  int silent = 0;
  for (int u = 0; u < v->units; u++) {
    int any = 0;
    for (int p = 0; p < v->places; p++)
      for (int n = 0; n < net.chunk_images; n++) {
        float x = value(v, u, p, n);
        sum += x, squares += (double)x * x, any |= x > 0;
      }
    silent += !any;
  }
  double variance = (squares - sum * sum / count) / (count - 1);
  *mean = sum / count, *deviation = __builtin_sqrt(variance > 0 ? variance : 0), *dead = (double)silent / v->units;
  if (variance != variance) *deviation = variance;
}

static Values output_of(int layer) {
  switch (layer) {
    case 0: return (Values){(const f8 *const *)net.conv1, 0, net.width1, CONV1 * CONV1, 0, 0};
    case 1: return (Values){(const f8 *const *)net.conv2, 0, net.width2, CONV2 * CONV2, 0, 0};
    case 2: return (Values){0, net.raw1, FC1, 1, padded(FC1), 0};
    case 3: return (Values){0, net.raw2, FC2, 1, padded(FC2), 0};
    default: return (Values){0, net.logits, net.classes, 1, padded(net.classes), 0};
  }
}

static Values input_of(int layer) {
  switch (layer) {
    case 0: return (Values){(const f8 *const *)net.input, 0, net.channels, net.side * net.side, 0, (PLANE - net.side) / 2};
    case 1: return (Values){(const f8 *const *)net.pool1, 0, net.width1, POOL1 * POOL1, 0, 0};
    case 2: return (Values){0, net.flat, net.layer[2].inputs, 1, net.layer[2].inputs, 0};
    case 3: return (Values){0, net.out1, FC1, 1, padded(FC1), 0};
    default: return (Values){0, net.out2, FC2, 1, padded(FC2), 0};
  }
}

// Padding holds zeros in both copies: it counts neither here nor there.
static double norm(const Layer *layer, int linear, const float *a, const float *minus, int centred) {
  double sum = 0, squares = 0;
  int all = weights_of(layer, linear), count = linear ? layer->inputs * layer->outputs : all;
  for (int i = 0; i < all; i++) {
    double x = a[layer->weight + i] - (minus ? minus[layer->weight + i] : 0);
    sum += x, squares += x * x;
  }
  return __builtin_sqrt(centred ? (squares - sum * sum / count) / (count - 1) : squares);
}

static float figures[FIGURES];

// Mean and deviation of a layer's output, deviation of its input, norm of its gradient, share of dead units, the last
// step's change over the weights (needs `watch`), and a histogram over mean -3 to +3 deviations.
EXPORT("statistics") float *statistics(int index) {
  int is_fc = is_linear(index);
  const Layer *layer = &net.layer[index];
  Values out = output_of(index), in = input_of(index);
  double mean, deviation, dead, given, unused;
  moments(&in, &unused, &given, &unused);
  moments(&out, &mean, &deviation, &dead);
  double change = norm(layer, is_fc, net.copy[WEIGHTS], net.copy[BEFORE], 1), size = norm(layer, is_fc, net.copy[BEFORE], 0, 1);
  float *f = figures;
  f[0] = (float)mean, f[1] = (float)deviation, f[2] = (float)given;
  f[3] = (float)norm(layer, is_fc, gradients(), 0, 0), f[4] = (float)dead, f[5] = net.watched && size > 0 ? (float)(change / size) : 0;
  for (int i = 0; i < HISTOGRAM; i++) f[6 + i] = 0;
  if (!(deviation > 0) || deviation - deviation != 0) return f;
  for (int u = 0; u < out.units; u++)
    for (int p = 0; p < out.places; p++)
      for (int n = 0; n < net.chunk_images; n++) {
        double place = ((value(&out, u, p, n) - mean) / (6 * deviation) + .5) * HISTOGRAM;
        if (place >= 0 && place < HISTOGRAM) f[6 + (int)place]++;
      }
  return f;
}
