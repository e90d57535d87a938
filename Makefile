# The entry point for builds and tests, used by developers and by CI. `make` without a target lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Tools that `cargo clean` keeps: the local control planes, fakecloud, moto, cargo-deny, cargo-machete, cargo-nextest.
export LIFEBOAT_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/lifeboat
TOOLS := $(LIFEBOAT_CACHE)/tools/bin

CARGO_DENY_VERSION := 0.20.2
CARGO_MACHETE_VERSION := 0.9.2
CARGO_NEXTEST_VERSION := 0.9.151
CFN_LINT_VERSION := 1.51.0
CFN_LINT := $(LIFEBOAT_CACHE)/cfn-lint-$(CFN_LINT_VERSION)/bin/cfn-lint
PARLIAMENT_VERSION := 1.6.4
PARLIAMENT := $(LIFEBOAT_CACHE)/parliament-$(PARLIAMENT_VERSION)/bin/parliament

## make demo              two real clusters, a backup, a restore, the proof (KEEP=1 leaves them up)
# Not optimized, and without the commands for AWS: the demo waits for API servers most of the time, and the AWS SDK is
# half of the build.
.PHONY: demo demo-programs
demo:
	@$(MAKE) --no-print-directory -j2 control-plane demo-programs
	@target/debug/lifeboat-demo $(if $(KEEP),--keep)

demo-programs:
	env -u MAKEFLAGS -u CARGO_MAKEFLAGS \
		cargo build -p lifeboat-cli --no-default-features -p lifeboat-tests --bin lifeboat --bin lifeboat-demo

## make demo-aws          a local AWS: the stacks, an issue and its command, a recovery point, a restore
.PHONY: demo-aws
demo-aws: control-plane local-aws
	cargo build --release -p lifeboat-cli --bin lifeboat -p lifeboat-tests --bin lifeboat-demo-aws
	@target/release/lifeboat-demo-aws

## make package           both functions as zips for Lambda, x86_64 and arm64, with their sizes
.PHONY: package
package:
	@infra/package

## make dist              the archives that are published: programs, functions, templates (PLATFORMS="linux-x86_64 …")
.PHONY: dist
dist:
	@infra/dist $(PLATFORMS)

## make test              every test, those against real API servers and of the functions on the local AWS included (15 to 20 min)
.PHONY: test
test: tools
	@infra/suite $(TOOLS)/cargo-nextest

## make quick             every test that needs no control plane and no local AWS (3 min)
# Disables the control plane, without which the local AWS does not start either: a test that needs one of them fails.
# The tests against moto are in the same programs as those against the local AWS.
.PHONY: quick
quick: $(TOOLS)/cargo-nextest
	LIFEBOAT_CONTROL_PLANE=none $(TOOLS)/cargo-nextest nextest run --workspace --profile quick

## make test-crate        the tests of one crate (CRATE=plan): they begin within 30 s of a change in it
.PHONY: test-crate
test-crate:
	@test -n "$(CRATE)" || { echo "usage: make test-crate CRATE=plan" >&2; exit 2; }
	cargo test -p lifeboat-$(CRATE)

## make tour              the demonstration on the local AWS with unoptimised functions (4 min)
.PHONY: tour
# Builds a test target too: its dependencies have the features that tests use, so that the builds of `make test` are
# reused.
tour: control-plane local-aws
	cargo build --workspace --bins --test templates
	@target/debug/lifeboat-demo-aws --profile built

## make test-package      the tests of the functions on the local AWS, with those that `make package` makes (20 min)
.PHONY: test-package
test-package: tools
	@infra/package release host
	cargo build --workspace --all-targets
	LIFEBOAT_FUNCTIONS=release $(TOOLS)/cargo-nextest nextest run --workspace -E 'test(the_tour_on_aws)'

# The tools for the tests, each built or installed once.
.PHONY: tools
tools: control-plane local-aws moto $(TOOLS)/cargo-nextest

## make prove BUNDLE=...  install manifests (file or folder), back up, restore elsewhere, compare
## make prove SEEDS=100   the same with so many clusters of random objects (FIRST=the first seed)
.PHONY: prove
prove: control-plane
	@test -n "$(BUNDLE)$(SEEDS)" || { echo "usage: make prove BUNDLE=file-or-folder, or make prove SEEDS=number" >&2; exit 2; }
	cargo build --release -p lifeboat-cli -p lifeboat-tests --bin lifeboat --bin lifeboat-prove
	@target/release/lifeboat-prove --report target/prove/report.json \
		$(if $(SEEDS),--seeds $(SEEDS) $(if $(FIRST),--first-seed $(FIRST)),"$(BUNDLE)")

## make bench             the ratios of tests/BENCHMARKS.md (SIZE=objects of the captures, BENCH=aws or another part alone)
.PHONY: bench
bench: control-plane local-aws
	cargo build --release -p lifeboat-cli -p lifeboat-tests --bin lifeboat --bin lifeboat-bench
	cargo build --release -p lifeboat-coordinator --example catalogue
	cargo build --release -p lifeboat-translate --example throughput
	cargo build --release -p lifeboat-plan --example plan
	@target/release/lifeboat-bench --report target/bench/report.json \
		$(if $(SIZE),--size $(SIZE) --aws-size $(SIZE)) $(if $(BENCH),--only $(BENCH))

## make fuzz              the byte parsers under mutated input for longer (ITERATIONS=2000000)
.PHONY: fuzz
fuzz:
	LIFEBOAT_FUZZ_ITERATIONS=$(or $(ITERATIONS),2000000) cargo test --release -p lifeboat-format --test fuzz -- --nocapture

## make simulate         coordinators and delegates under faults for longer (SEEDS=100000)
.PHONY: simulate
simulate:
	LIFEBOAT_SIMULATE_SEEDS=$(or $(SEEDS),100000) cargo test --release -p lifeboat-coordinator --test simulation -- --nocapture

## make check             format, clippy, licences and bans, unused dependencies, documentation, templates
.PHONY: check check-tools
check-tools: $(TOOLS)/cargo-deny $(TOOLS)/cargo-machete $(CFN_LINT) $(PARLIAMENT)
check: check-tools check-templates
	$(CFN_LINT) cloudformation/*.yaml
	cargo fmt --all -- --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo fetch --locked --quiet
	$(TOOLS)/cargo-deny --offline --all-features check bans licenses sources
	$(TOOLS)/cargo-machete .
	@for function in delegate coordinator; do \
		! cargo tree --offline --package lifeboat-$$function --edges normal --prefix none \
			| grep -E '^aws-sdk-(sso|ssooidc) ' \
			|| { echo "lifeboat-$$function depends on what only the command line needs" >&2; exit 1; }; \
	done
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet

# The templates that the crate infrastructure generates, their policies, and those of the delegate that deploys them, pass
# the linters without a finding.
.PHONY: check-templates
check-templates: $(CFN_LINT) $(PARLIAMENT)
	rm -rf target/templates
	cargo run --quiet -p lifeboat-infrastructure --example templates -- target/templates 2
	$(CFN_LINT) --regions eu-central-1 --template target/templates/*.json
	$(PARLIAMENT) --directory target/templates/policies
	$(PARLIAMENT) --directory target/templates/application --config .config/parliament.yaml

$(CFN_LINT):
	python3 -m venv $(LIFEBOAT_CACHE)/cfn-lint-$(CFN_LINT_VERSION)
	$(LIFEBOAT_CACHE)/cfn-lint-$(CFN_LINT_VERSION)/bin/pip install --quiet --disable-pip-version-check cfn-lint==$(CFN_LINT_VERSION)

# parliament imports pkg_resources, which setuptools has removed since version 81.
$(PARLIAMENT):
	python3 -m venv $(LIFEBOAT_CACHE)/parliament-$(PARLIAMENT_VERSION)
	$(LIFEBOAT_CACHE)/parliament-$(PARLIAMENT_VERSION)/bin/pip install --quiet --disable-pip-version-check \
		'setuptools<81' parliament==$(PARLIAMENT_VERSION)

## make control-plane     build the local control planes into the cache (once)
.PHONY: control-plane
control-plane:
	@infra/local/build

## make local-aws         build the AWS of the local environment into the cache (once)
.PHONY: local-aws
local-aws:
	@infra/local/build-aws

## make moto              install the second AWS that adapters are tested against into the cache (once)
.PHONY: moto
moto:
	@infra/local/moto

# The tools are built once, without optimization: they run for seconds, and an optimized build would take minutes.
# MAKEFLAGS is removed, because with `make -j2` cargo would use two cores only.
TOOL_PROFILE := env -u MAKEFLAGS -u CARGO_MAKEFLAGS CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off \
	CARGO_PROFILE_RELEASE_DEBUG=0 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16

$(TOOLS)/cargo-deny:
	$(TOOL_PROFILE) cargo install cargo-deny --locked --no-default-features \
		--version $(CARGO_DENY_VERSION) --root $(LIFEBOAT_CACHE)/tools

$(TOOLS)/cargo-machete:
	$(TOOL_PROFILE) cargo install cargo-machete --locked \
		--version $(CARGO_MACHETE_VERSION) --root $(LIFEBOAT_CACHE)/tools

$(TOOLS)/cargo-nextest:
	$(TOOL_PROFILE) cargo install cargo-nextest --locked --no-default-features \
		--version $(CARGO_NEXTEST_VERSION) --root $(LIFEBOAT_CACHE)/tools

.PHONY: help
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)
