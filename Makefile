# make run   the main job on the built-in models
# make test  every test that this machine can run
GO ?= go
TESTFLAGS ?=
FUZZTIME ?= 60s
FUZZTIME_LONG ?= 600s
# For where the go command does not look at git: in a linked worktree, and where
# -buildvcs=false is set.
CLI := github.com/disteval/disteval/cmd/internal/cli
STATED = $(shell git log -1 --format='-X $(CLI).commit=%H -X $(CLI).date=%cI' 2>/dev/null) \
	$(shell git describe --tags --always --abbrev=12 --dirty=+dirty 2>/dev/null | sed 's,^,-X $(CLI).release=,')
ECHARTS := reports/html/assets/echarts.min.js

.PHONY: build run test check bench fuzz generate golden assets train

build: bin/disteval

bin/disteval: $(if $(shell command -v npm),$(ECHARTS)) FORCE
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w $(STATED)" -o $@ ./cmd/disteval
FORCE:

run: build
	./bin/disteval run --models builtin

test:
	$(GO) test $(TESTFLAGS) ./...

# Formatting, vet, and what .golangci.yml means.
check:
	@test -z "$$(gofmt -l .)" || { echo "gofmt -w these files:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	@if command -v golangci-lint >/dev/null; then golangci-lint run; else echo "golangci-lint is not installed: skipped (.ci/run has it)"; fi

# Speeds are ratios measured side by side in one run; see docs/speed.md.
bench:
	$(GO) test -p 1 -run '^$$' -bench . -timeout 60m ./metrics/... ./eval/... ./emissions/... ./reports/...
	$(GO) test -run '^$$' -bench . -timeout 30m ./cmd/disteval

# Without a bound, making one find smaller takes most of a target's time.
fuzz:
	@grep -r --include='*_test.go' '^func Fuzz' cmd emissions eval metrics queries reports | sort | \
	sed -E 's,^([^:]*)/[^/]*:func (Fuzz[A-Za-z0-9_]*).*,./\1 \2,' | while read -r dir target; do \
		time=$(FUZZTIME); case $$target in FuzzLCS|FuzzKeyword) time=$(FUZZTIME_LONG);; esac; \
		echo "== $$target in $$dir for $$time"; \
		$(GO) test -run='^$$' -fuzz="^$$target$$" -fuzztime=$$time -fuzzminimizetime=10x $$dir </dev/null || exit 1; \
	done

# The tables and vectors that are embedded, from their npm packages.
generate: node_modules
	$(GO) generate ./...

golden:
	$(GO) test ./reports/... ./cmd/... -update
	$(GO) test ./eval/spec -run Schema -update

# ECharts for reports that open offline. A binary built without it links the CDN,
# so that a build needs neither npm nor a registry.
assets: node_modules
	cp node_modules/echarts/dist/echarts.min.js $(ECHARTS)

$(ECHARTS): package-lock.json
	@$(MAKE) --no-print-directory assets || echo "npm did not get ECharts: reports of this build load it from a CDN"

node_modules: package.json package-lock.json
	npm ci --ignore-scripts --no-audit --no-fund
	@touch node_modules

train:
	eval/builtin/train/train.sh
