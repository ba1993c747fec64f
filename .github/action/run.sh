#!/usr/bin/env bash
# Runs the models of MODELS, or takes the run's folder RUN, judges it by EXPECTED
# and shows what came: outputs, step summary and, where COMMENT is true, a
# comment. It always succeeds, so that the steps after it upload the reports; the
# action's last step ends with the exit code that is an output here.
set -uo pipefail

output() { # output NAME VALUE, which may have several lines
	local end
	end=end-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
	printf '%s<<%s\n%s\n%s\n' "$1" "$end" "$2" "$end" >>"$GITHUB_OUTPUT"
}

IFS=$' \t\n' read -r -d '' -a extra <<<"${ARGS:-}" || : # at the end there is no delimiter
run=
if [ -n "${MODELS:-}" ] && [ -z "${RUN:-}" ]; then
	out=$(mktemp -d "$RUNNER_TEMP/disteval-run-XXXXXX")
	set -- run --models "$MODELS"
	[ -z "${EXPECTED:-}" ] || set -- "$@" --expected "$EXPECTED"
	[ "${FAIL_FAST:-}" != true ] || set -- "$@" --fail-fast
	disteval "$@" ${extra[@]+"${extra[@]}"} --out "$out"
	code=$?
	for db in "$out"/*/run.db; do
		[ ! -f "$db" ] || run=${db%/run.db}
	done
elif [ -n "${RUN:-}" ] && [ -z "${MODELS:-}" ] && [ -n "${EXPECTED:-}" ]; then
	disteval gate --expected "$EXPECTED" ${extra[@]+"${extra[@]}"} -- "$RUN"
	code=$?
	[ ! -f "$RUN/run.db" ] || run=$RUN
else
	echo "::error title=disteval::give either models, or run and expected"
	code=2
fi

verdict=none
case $code in
0) [ -z "${EXPECTED:-}" ] || verdict=pass ;;
3) verdict=regression ;;
4) verdict=inconclusive ;;
*) printf '## disteval: no verdict\n\nIt ended with exit code %d; the log says why.\n' "$code" >>"$GITHUB_STEP_SUMMARY" ;;
esac
if [ -z "${EXPECTED:-}" ] && [ -f "$run/summary.md" ]; then
	cat "$run/summary.md" >>"$GITHUB_STEP_SUMMARY" # the gate writes it where there is one
fi
shown=$run # later steps begin in the workspace, not in the folder of this one
case $run in
'' | /* | [A-Za-z]:*) ;;
*) [ "${FOLDER:-.}" = . ] || shown=$FOLDER/$run ;;
esac
output verdict "$verdict"
output exit-code "$code"
output run "$shown"
output report "${shown:+$shown/report.html}"

if [ "${COMMENT:-}" = true ]; then
	set -- comment --exit-code "$code" --name "${COMMENT_NAME:-gate}"
	[ -z "$run" ] || set -- "$@" -- "$run"
	disteval "$@" || echo "The verdict does not depend on the comment."
fi
exit 0
