/**
 * The microphone: asked for when it is first needed, kept while the person is on stage (asking again on each unmute
 * would prompt again on some phones), let go with the stage. Errors have a code that screens have words for.
 */
export type MicError = 'denied' | 'missing' | 'busy' | 'insecure';

export class MicrophoneError extends Error {
  readonly code: MicError;

  constructor(code: MicError) {
    super(code);
    this.code = code;
  }
}

export async function openMicrophone(device: string | undefined): Promise<MediaStream> {
  if (!navigator.mediaDevices) throw new MicrophoneError('insecure');
  const audio: MediaTrackConstraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  if (device) audio.deviceId = { ideal: device };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    throw new MicrophoneError(codeOf(error));
  }
}

function codeOf(error: unknown): MicError {
  const name = error instanceof DOMException ? error.name : '';
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return 'missing';
  if (name === 'NotReadableError' || name === 'AbortError') return 'busy';
  return 'denied';
}

export function stopStream(stream: MediaStream | undefined): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

export async function devices(kind: MediaDeviceKind): Promise<MediaDeviceInfo[]> {
  const all = await navigator.mediaDevices?.enumerateDevices().catch(() => []);
  return (all ?? []).filter((device) => device.kind === kind && device.deviceId !== '');
}
