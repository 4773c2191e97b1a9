/**
 * One PeerConnection of one room: a send m-line for the microphone, without a track until one speaks, and the receive
 * m-lines of the slots. Nothing is renegotiated; coming on stage is `speak(track)`.
 *
 * Gathering is not waited for: the server learns our addresses from our checks.
 */

export const SLOTS = 3;

export interface PeerOwner {
  state(state: RTCPeerConnectionState): void;
  slot(index: number, track: MediaStreamTrack): void;
}

export class Peer {
  #pc = new RTCPeerConnection();
  #sender: RTCRtpSender;
  #slots: RTCRtpReceiver[] = [];

  constructor(owner: PeerOwner) {
    const pc = this.#pc;
    this.#sender = pc.addTransceiver('audio', { direction: 'sendonly' }).sender;
    for (let index = 0; index < SLOTS; index++) {
      this.#slots.push(pc.addTransceiver('audio', { direction: 'recvonly' }).receiver);
    }
    pc.ontrack = ({ receiver, track }) => owner.slot(this.#slots.indexOf(receiver), track);
    pc.onconnectionstatechange = () => owner.state(pc.connectionState);
    // Chromium says `disconnected` here some seconds before the connection as a whole does.
    pc.oniceconnectionstatechange = () => pc.iceConnectionState === 'disconnected' && owner.state('disconnected');
  }

  get state(): RTCPeerConnectionState {
    return this.#pc.connectionState;
  }

  async offer(): Promise<string> {
    await this.#pc.setLocalDescription();
    const sdp = this.#pc.localDescription?.sdp;
    if (!sdp) throw new Error('no offer: the connection was closed');
    return sdp;
  }

  /** An offer with new ICE credentials; keys, sequences and slots go on. */
  restartOffer(): Promise<string> {
    this.#pc.restartIce();
    return this.offer();
  }

  async answer(sdp: string): Promise<void> {
    await this.#pc.setRemoteDescription({ type: 'answer', sdp });
  }

  /** Takes an offer back that the server never answered, so that the next one can be made. */
  async rollback(): Promise<void> {
    if (this.#pc.signalingState === 'have-local-offer') await this.#pc.setLocalDescription({ type: 'rollback' });
  }

  /** Sends this track, or nothing at all. */
  async speak(track: MediaStreamTrack | null): Promise<void> {
    if (this.#sender.track !== track && this.#pc.signalingState !== 'closed') await this.#sender.replaceTrack(track);
  }

  contributing(): RTCRtpContributingSource[][] {
    return this.#slots.map((slot) => slot.getContributingSources());
  }

  close(): void {
    this.#pc.onconnectionstatechange = null;
    this.#pc.oniceconnectionstatechange = null;
    this.#pc.ontrack = null;
    this.#pc.close();
  }
}
