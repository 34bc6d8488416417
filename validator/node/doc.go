// Package node runs a full node of the chain in this process: CometBFT, the application and a JSON-RPC
// server on a loopback address. cmd/vouchnode and the demo import it.
//
// A home has CometBFT's layout (config/config.toml, config/genesis.json, config/node_key.json, data/).
// The node never reads the consensus key: its caller passes a PrivValidator. It may be killed at any
// moment and goes on from its home. [InitDevnet] makes the home of a chain of one validator.
package node
