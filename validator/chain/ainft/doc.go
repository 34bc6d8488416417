// Package ainft is the chain's register of AI NFTs: who owns a neural network, which model it is, and
// the versions of the rules that govern each request to it. The node's application and x/request
// import it. Ids and versions start at 1 and are numbered by the chain; a written version never changes.
package ainft
