// Runs in each page before the app does: gives it a tone for a microphone, and an ear at its loudspeaker.
//
// The microphone is an oscillator, because one fake device would serve all pages of a browser alike, and because the
// browser takes a steady tone from a real one for noise. The ear hears what a person would: the streams of media
// elements that play, unmuted, and nothing else. It never touches the app's peer connections.
(hz => {
  const POLL_MS = 50; // how often the spectrum is noted
  const FFT_SIZE = 8192; // 170 ms of sound, 5.9 Hz per bin
  const AUDIBLE_DB = -55; // a tone of 0.3 arrives with about -25, silence with less than -100
  const LOWEST_HZ = 100;
  const LOG_LENGTH = 4096; // 200 s

  const microphone = { hz, denied: false, opened: 0 };
  const played = new Set(); // media elements that ever got a stream
  const ears = new Map(); // stream -> analyser
  const log = []; // [epoch ms, tones heard]
  let context;
  const audio = () => (context ??= new AudioContext({ sampleRate: 48000 }));

  const devices = navigator.mediaDevices;
  if (devices) {
    devices.getUserMedia = async constraints => {
      if (microphone.denied) throw new DOMException('Permission denied', 'NotAllowedError');
      if (constraints.video) throw new DOMException('Only a microphone here', 'NotFoundError');
      microphone.opened++;
      const tone = audio().createOscillator();
      const gain = audio().createGain();
      const out = audio().createMediaStreamDestination();
      tone.frequency.value = microphone.hz;
      gain.gain.value = 0.3;
      tone.connect(gain).connect(out);
      tone.start();
      return out.stream;
    };
  }

  const srcObject = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, 'srcObject');
  Object.defineProperty(HTMLMediaElement.prototype, 'srcObject', {
    ...srcObject,
    set(stream) {
      if (stream) played.add(this);
      srcObject.set.call(this, stream);
    },
  });

  const audible = () =>
    new Set([...played].filter(e => e.srcObject && !e.paused && !e.muted && e.volume > 0).map(e => e.srcObject));

  function analyser(stream) {
    const found = ears.get(stream);
    if (found) return found;
    const ear = audio().createAnalyser();
    ear.fftSize = FFT_SIZE;
    ear.smoothingTimeConstant = 0;
    audio().createMediaStreamSource(stream).connect(ear);
    ears.set(stream, ear);
    return ear;
  }

  // Peaks of one stream above the threshold, in whole Hz.
  function tones(stream) {
    const ear = analyser(stream);
    const db = new Float32Array(ear.frequencyBinCount);
    ear.getFloatFrequencyData(db);
    const binHz = audio().sampleRate / FFT_SIZE;
    const peaks = [];
    for (let i = Math.ceil(LOWEST_HZ / binHz); i < db.length - 4; i++) {
      const highest = db[i] > AUDIBLE_DB && [1, 2, 3, 4].every(d => db[i] >= db[i - d] && db[i] >= db[i + d]);
      if (highest) peaks.push(Math.round(i * binHz));
    }
    return peaks;
  }

  const listen = () => {
    const streams = [...audible()].filter(s => s.getAudioTracks().length > 0);
    log.push([Date.now(), streams.flatMap(tones)]);
    if (log.length > LOG_LENGTH) log.shift();
  };
  setInterval(listen, POLL_MS);

  const LOUD = 0.02; // a tone of 0.3 arrives with an effective value of about 0.2
  const WINDOW = 256; // 5 ms of sound
  const quick = new Map(); // stream -> analyser with a short memory

  function loudness(stream) {
    if (!quick.has(stream)) {
      const ear = audio().createAnalyser();
      ear.fftSize = WINDOW;
      audio().createMediaStreamSource(stream).connect(ear);
      quick.set(stream, ear);
    }
    const samples = new Float32Array(WINDOW);
    quick.get(stream).getFloatTimeDomainData(samples);
    return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / WINDOW);
  }

  window.mitalkTest = {
    microphone,
    // Listens for the moment at which something comes to be heard (`loud`), or nothing any more, finer than the spectrum:
    // `turned` is it, in epoch ms. Comes back when the opposite is the case, so that nothing is missed.
    listenFor: loud => new Promise(ready => {
      audio();
      window.mitalkTest.turned = new Promise(resolve => {
        let otherwise = false; // a fresh analyser is silent at first
        const timer = setInterval(() => {
          const streams = [...audible()].filter(s => s.getAudioTracks().length > 0);
          const turned = streams.some(s => loudness(s) > LOUD) === loud;
          if (!turned && !otherwise) ready();
          otherwise ||= !turned;
          if (!turned || !otherwise) return;
          clearInterval(timer);
          resolve(Date.now());
        }, 4);
      });
    }),
    // Tones heard since a time, each poll: [[epoch ms, [Hz, ...]], ...].
    heard: since => log.filter(([at]) => at >= since),
    players: () => audible().size,
  };
})
