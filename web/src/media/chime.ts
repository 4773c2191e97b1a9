/** Two short sounds, made on the spot: a rising one for coming on stage, a single one for an invitation. */
const RISE_HZ = [523, 784];
const CALL_HZ = [659];
const NOTE_S = 0.12;
const GAIN = 0.08;

export function chime(kind: 'rise' | 'call'): void {
  const context = new AudioContext();
  const notes = kind === 'rise' ? RISE_HZ : CALL_HZ;
  notes.forEach((hz, index) => {
    const start = context.currentTime + index * NOTE_S;
    const tone = context.createOscillator();
    const gain = context.createGain();
    tone.frequency.value = hz;
    gain.gain.setValueAtTime(0, start);
    gain.gain.linearRampToValueAtTime(GAIN, start + 0.02);
    gain.gain.exponentialRampToValueAtTime(0.001, start + NOTE_S * 2);
    tone.connect(gain).connect(context.destination);
    tone.start(start);
    tone.stop(start + NOTE_S * 2);
  });
  setTimeout(() => void context.close(), 1000);
}
