# Vouch. Each verb works on a fresh Debian 12 with Go (see .ci/install); `make` lists them.
SHELL := /bin/bash -euo pipefail
.DEFAULT_GOAL := help

FUZZTIME ?= 30s
# Packages whose tests build or run a whole chain, a browser or a native engine: they take minutes, not seconds.
HEAVY := ^github.com/vouchbox/vouch/(appliance|appliance/demo|validator/chain.*|validator/node.*|cmd/.*)$$
# Tests leave what they captured (T.ArtifactDir) under .artifacts.
TEST = CGO_ENABLED=1 go test -race -artifacts -outputdir '$(CURDIR)/.artifacts'
STATIC := vouchd vouchpanel vouchnode vouch
AUTOFLAG := $(if $(filter 1,$(AUTO)),-auto)

.PHONY: help demo test check fuzz generate tools build clean

help: ## list the verbs
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | sort | awk -F'\t' '{printf "  make %-10s %s\n", $$1, $$2}'

demo: tools build ## run the whole flow here with simulated hardware; AUTO=1 runs it without questions
	@mkdir -p .demo
	@go build -o .demo/demo ./appliance/demo
	@exec .demo/demo $(AUTOFLAG) -bin bin -dir .demo -models .cache/models

test: tools ## vet and run every test with the race detector
	go vet ./...
	mkdir -p .artifacts
	$(TEST) -timeout 15m $$(go list ./... | grep -vE '$(HEAVY)')
	$(TEST) -timeout 30m -p 1 $$(go list ./... | grep -E '$(HEAVY)')

check: tools ## format, vet, staticcheck, import table, pages, generated code, clean tree
	@unformatted=$$(git ls-files -z -- '*.go' | xargs -0 gofmt -l); \
	if [ -n "$$unformatted" ]; then echo "gofmt -w these files:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...
	go test -count=1 -tags stale .
	validator/chain/proto/generate.sh
	@changed=$$(git status --porcelain); \
	if [ -n "$$changed" ]; then echo "the tree is not clean; commit these, or, if they are generated, commit what make generate makes:"; \
	echo "$$changed"; exit 1; fi

fuzz: ## run each fuzz target for FUZZTIME (default 30s)
	@for package in $$(go list ./...); do \
		dir=$${package#github.com/vouchbox/vouch}; \
		grep -qs '^func Fuzz' ".$$dir"/*_test.go || continue; \
		for target in $$(go test -list '^Fuzz' "$$package" | grep '^Fuzz'); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -timeout 1h "$$package"; \
		done; \
	done

generate: tools ## make the protobuf code anew
	validator/chain/proto/generate.sh

build: ## build the programs into bin/
	mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -o bin/ $(addprefix ./cmd/,$(STATIC))
	CGO_ENABLED=1 go build -trimpath -o bin/ ./cmd/vouchinfer

tools: ## install what the other verbs need, if it is missing
	@.ci/install

clean: ## remove everything that was built; models that were fetched stay in .cache
	rm -rf bin .demo .artifacts
