/** Who asks the metrics endpoint at a time; more are turned away. Apart from the server, which is loaded only where it is wanted. */
export const MAX_METRICS_CONNECTIONS = 16;
