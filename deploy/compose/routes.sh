# One backend for each region, in the routing database that the POPs read; where one is there already it stays as it is.
set -e
edgeproxy() { node "${EDGEPROXY_MAIN:-/opt/edgeproxy/dist/cli/main.js}" "$@"; }

if [ -s "$EDGEPROXY_DB_PATH" ]; then exit 0; fi
edgeproxy backend add --id sa-1 --region sa --country BR --ip 10.89.0.11 --port 8080
edgeproxy backend add --id us-1 --region us --country US --ip 10.89.0.12 --port 8080
edgeproxy backend add --id eu-1 --region eu --country DE --ip 10.89.0.13 --port 8080
