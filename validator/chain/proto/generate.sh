#!/usr/bin/env bash
# Generates the Go code of the chain's protobuf files. The compiler is Debian's protobuf-compiler (libprotoc 3.21); the plugin
# and all imported .proto files come from modules pinned in go.mod. `make generate` runs it, `make check` runs it and compares.
set -euo pipefail
cd "$(dirname "$0")/../../.."

want=3.21
have=$(protoc --version | sed 's/^libprotoc //')
case $have in "$want"*) ;; *) echo "protoc $have found, $want wanted: apt-get install protobuf-compiler" >&2; exit 1 ;; esac

dir() { go mod download "$1" && go list -m -f '{{.Dir}}' "$1"; }
sdk=$(dir github.com/cosmos/cosmos-sdk)
gogo=$(dir github.com/cosmos/gogoproto)
cosmosproto=$(dir github.com/cosmos/cosmos-proto)

bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
go build -o "$bin/protoc-gen-gocosmos" github.com/cosmos/gogoproto/protoc-gen-gocosmos

proto=validator/chain/proto
for file in $(cd "$proto" && find vouch -name '*.proto' | LC_ALL=C sort); do
	PATH="$bin:$PATH" protoc -I "$proto" -I "$sdk/proto" -I "$gogo" -I "$gogo/protobuf" -I "$cosmosproto/proto" \
		--gocosmos_out=plugins=grpc,Mgoogle/protobuf/any.proto=github.com/cosmos/gogoproto/types/any:"$bin" "$file"
done
cp -r "$bin"/github.com/vouchbox/vouch/. .
gofmt -w $(find validator/chain -name '*.pb.go')
