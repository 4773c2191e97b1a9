// Proves that the tests' own ear and network can fail: two pages, one peer connection, no app.

import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { launch, openPage, setNetwork } from './lib/chromium.mjs';
import { hears, longestGap, setMicrophone, whenHeard } from './lib/ear.mjs';
import { until } from './lib/wait.mjs';

let browser, server, url;

before(async () => {
  server = http.createServer((_, response) => response.setHeader('content-type', 'text/html').end('<!doctype html>'));
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${server.address().port}`;
  browser = await launch();
});

after(async () => {
  await browser?.close();
  server?.close();
});

/** Connects the microphone of one page to an audio element of another. */
async function connect(from, to) {
  const gathered = () => new Promise(resolve => {
    const done = () => pc.iceGatheringState === 'complete' && resolve(pc.localDescription.sdp);
    pc.onicegatheringstatechange = done;
    done();
  });
  const offer = await from.evaluate(async wait => {
    window.pc = new RTCPeerConnection();
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    window.sender = pc.addTrack(stream.getAudioTracks()[0], stream);
    await pc.setLocalDescription();
    return (0, eval)(wait)();
  }, String(gathered));
  const answer = await to.evaluate(async ([sdp, wait]) => {
    window.pc = new RTCPeerConnection();
    pc.ontrack = event => {
      window.player = new Audio();
      player.srcObject = event.streams[0];
      player.play();
    };
    await pc.setRemoteDescription({ type: 'offer', sdp });
    await pc.setLocalDescription();
    return (0, eval)(wait)();
  }, [offer, String(gathered)]);
  await from.evaluate(sdp => pc.setRemoteDescription({ type: 'answer', sdp }), answer);
}

test('the ear hears a tone, tells tones apart, and hears silence', async () => {
  const [speaker, listener] = [await openPage(browser, { hz: 440 }), await openPage(browser, { hz: 550 })];
  await Promise.all([speaker.goto(url), listener.goto(url)]);
  await connect(speaker, listener);
  await hears(listener, [440]);
  await assert.rejects(hears(listener, [550], 'x', 1500), /heard .*\[4\d\d\]/);
  await hears(speaker, []);

  await setMicrophone(speaker, { hz: 660 });
  await speaker.evaluate(async () => {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    await sender.replaceTrack(stream.getAudioTracks()[0]);
  });
  await hears(listener, [660]);
  assert.ok((await whenHeard(listener, 440, 0)).length > 0, 'who spoke before was heard');
  assert.deepEqual(await whenHeard(listener, 550, 0), [], 'the edge between two tones is nobody');

  await listener.evaluate(() => { player.muted = true; });
  await hears(listener, []);
  await speaker.context().close();
  await listener.context().close();
});

test('a cut network stops media and requests, and a mended one goes on', async () => {
  const [speaker, listener] = [await openPage(browser, { hz: 440 }), await openPage(browser)];
  await Promise.all([speaker.goto(url), listener.goto(url)]);
  await connect(speaker, listener);
  await hears(listener, [440]);

  const cutAt = Date.now();
  await setNetwork(listener, { cut: true });
  await hears(listener, []);
  assert.equal(await listener.evaluate(() => fetch('/').then(() => 'ok', () => 'failed')), 'failed');
  await setNetwork(listener, { cut: false });
  await hears(listener, [440]);
  assert.ok(await longestGap(listener, 440, cutAt) > 200, 'the gap is seen');
  await until(() => listener.evaluate(() => fetch('/').then(() => true, () => false)), { what: 'requests to work again' });
  await speaker.context().close();
  await listener.context().close();
});

test('a denied microphone is refused as a browser does it', async () => {
  const page = await openPage(browser);
  await page.goto(url);
  await setMicrophone(page, { denied: true });
  const refusal = await page.evaluate(() => navigator.mediaDevices.getUserMedia({ audio: true }).catch(e => e.name));
  assert.equal(refusal, 'NotAllowedError');
  await page.context().close();
});
