// From embedded pictures to canvases, and from two pictures to a map of their difference.

const ERROR_FULL = 32; // levels of 255 at which the colours end

// Stops of a map that is even to the eye, for any colour vision: black, purple, orange, pale yellow.
const HEAT = [[0, 0, 4], [40, 11, 84], [101, 21, 110], [159, 42, 99], [212, 72, 66], [245, 125, 21], [250, 193, 39], [252, 255, 164]];

const heatTable = (() => {
  const table = new Uint8ClampedArray(256 * 3);
  for (let k = 0; k < 256; k += 1) {
    const place = (k / 255) * (HEAT.length - 1);
    const stop = Math.min(Math.floor(place), HEAT.length - 2);
    for (let c = 0; c < 3; c += 1) table[3 * k + c] = HEAT[stop][c] + (place - stop) * (HEAT[stop + 1][c] - HEAT[stop][c]);
  }
  return table;
})();

async function loadPicture(type, base64) {
  const picture = new Image();
  picture.src = `data:${type};base64,${base64}`;
  await picture.decode();
  return picture;
}

function pixelsOf(picture) {
  const canvas = make("canvas", { width: picture.naturalWidth, height: picture.naturalHeight });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

function paintPicture(canvas, picture) {
  canvas.width = picture.naturalWidth;
  canvas.height = picture.naturalHeight;
  canvas.getContext("2d").drawImage(picture, 0, 0);
}

// Per pixel, the mean over R, G and B of the absolute difference, in levels of 255.
function paintError(canvas, original, picture) {
  const [a, b] = [pixelsOf(original), pixelsOf(picture)];
  const map = new ImageData(a.width, a.height);
  for (let k = 0; k < a.data.length; k += 4) {
    const sum = Math.abs(a.data[k] - b.data[k]) + Math.abs(a.data[k + 1] - b.data[k + 1]) + Math.abs(a.data[k + 2] - b.data[k + 2]);
    const heat = 3 * Math.min(255, Math.round((sum / 3 / ERROR_FULL) * 255));
    map.data[k] = heatTable[heat];
    map.data[k + 1] = heatTable[heat + 1];
    map.data[k + 2] = heatTable[heat + 2];
    map.data[k + 3] = 255;
  }
  canvas.width = a.width;
  canvas.height = a.height;
  canvas.getContext("2d").putImageData(map, 0, 0);
}

function paintHeatBar(canvas) {
  const bar = new ImageData(256, 1);
  for (let k = 0; k < 256; k += 1) bar.data.set([...heatTable.slice(3 * k, 3 * k + 3), 255], 4 * k);
  canvas.getContext("2d").putImageData(bar, 0, 0);
}
