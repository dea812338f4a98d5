/** What the API takes of its users. Apart from the server, which is loaded only where it is wanted. */

/** At a time. Above half of it an answer ends its connection: who keeps one for the next heartbeat keeps others out. */
export const MAX_API_CONNECTIONS = 512;

/** Of those, so that nobody keeps all others out. */
export const MAX_API_CONNECTIONS_PER_ADDRESS = 128;
