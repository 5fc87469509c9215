import { countIn, objectIn, textIn, type FrameReader, type OutputFrame } from './frames.js';

/** Layers that are told apart; an image has a hundred at most. */
const MAX_LAYERS = 1_000;

/**
 * A reader of what Docker's API streams while it pulls, pushes or builds an image: one line for each status that a layer
 * comes to, the bytes of all layers as progress, errors as errors. Make one for each stream.
 * @see https://docs.docker.com/reference/api/engine/, `POST /images/create`
 */
export function dockerFrames(): FrameReader {
  const statuses = new Map<string, string>();
  const layers = new Map<string, { current: number; total: number }>();
  return (value) => {
    const error = textIn(value, 'error');
    if (error !== undefined) return { message: error, level: 'error' };
    const built = textIn(value, 'stream');
    if (built !== undefined) return { message: built.trimEnd() };
    const status = textIn(value, 'status');
    if (status === undefined) return undefined;
    const id = textIn(value, 'id');
    if (id === undefined) return { message: status };
    const frame: OutputFrame = {};
    if (statuses.get(id) !== status) frame.message = `${id}: ${status}`;
    if (statuses.has(id) || statuses.size < MAX_LAYERS) statuses.set(id, status);
    const detail = objectIn(value, 'progressDetail') ?? {};
    const [current, total] = [countIn(detail, 'current'), countIn(detail, 'total')];
    // The same bytes are counted once more while they are unpacked.
    if (current !== undefined && total && status !== 'Extracting' && statuses.has(id)) {
      layers.set(id, { current, total });
      frame.progress = sumOf(layers.values());
    }
    return frame;
  };
}

function sumOf(layers: Iterable<{ current: number; total: number }>): OutputFrame['progress'] {
  let current = 0;
  let total = 0;
  for (const layer of layers) {
    current += layer.current;
    total += layer.total;
  }
  return { current, total, unit: 'bytes' };
}
