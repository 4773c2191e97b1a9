/** How loud one's own microphone is: for the ring round one's portrait and for the microphone test. */
import { loudnessOf } from './speakers';

export class Meter {
  #context = new AudioContext();
  #analyser: AnalyserNode;
  #samples: Float32Array<ArrayBuffer>;

  constructor(stream: MediaStream) {
    this.#analyser = this.#context.createAnalyser();
    this.#analyser.fftSize = 1024;
    this.#samples = new Float32Array(this.#analyser.fftSize);
    this.#context.createMediaStreamSource(stream).connect(this.#analyser);
  }

  /** Between 0 and 1. */
  level(): number {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let sum = 0;
    for (const sample of this.#samples) sum += sample * sample;
    return loudnessOf(Math.sqrt(sum / this.#samples.length));
  }

  close(): void {
    void this.#context.close();
  }
}
