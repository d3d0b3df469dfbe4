// The images that a page learns from, as web/engine/dataset_file.py writes them: gzip around the length of a JSON
// header, the header, the images (n, channels, side, side) and their labels, those to learn from first.
export async function readDataset(buffer) {
  const plain = await unzipped(buffer), length = new DataView(plain).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(plain, 4, length)));
  const { channels, side, learnt, held } = header, count = learnt + held, at = 4 + length, bytes = count * channels * side * side;
  return { ...header, images: new Uint8Array(plain, at, bytes), labels: new Uint8Array(plain, at + bytes, count) };
}

async function unzipped(buffer) {
  const stream = new Blob([buffer]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Response(stream).arrayBuffer();
}
