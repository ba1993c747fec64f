#!/usr/bin/env bash
# Installs a release of disteval for the steps that follow, after its checksum
# was verified. VERSION is v1.2.3, latest, or installed (what is on PATH); empty
# is the release that the action itself is of, else the latest.
set -euo pipefail

fail() {
	echo "::error title=disteval::$1"
	exit 1
}

releases=${RELEASES_URL:-https://github.com/disteval/disteval/releases}
number='[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?'
version=${VERSION:-}
if [ "$version" = installed ]; then
	disteval version
	exit
fi
if [ -z "$version" ]; then
	version=latest
	! [[ ${ACTION_REF:-} =~ ^v$number$ ]] || version=$ACTION_REF
fi
if [ "$version" = latest ]; then # its page leads to that of its tag
	page=$(curl -fsSL --retry 3 -o /dev/null -w '%{url_effective}' "$releases/latest") || fail "the latest release cannot be found"
	version=${page##*/}
fi
[[ $version =~ ^v?$number$ ]] || fail "the version is not one such as v1.2.3, latest or installed"
version=${version#v}

case ${RUNNER_OS:-} in
Linux) os=linux ;;
macOS) os=darwin ;;
Windows) os=windows ;;
*) fail "there is no release for this operating system" ;;
esac
case ${RUNNER_ARCH:-} in
X64) arch=amd64 ;;
ARM64) arch=arm64 ;;
*) fail "there is no release for this processor" ;;
esac
archive=disteval_${version}_${os}_$arch.tar.gz
[ "$os" != windows ] || archive=${archive%.tar.gz}.zip

dir=$RUNNER_TEMP/disteval-$version
mkdir -p "$dir"
cd "$dir"
for file in checksums.txt "$archive"; do
	curl -fsSL --retry 3 -o "$file" "$releases/download/v$version/$file" || fail "$file of release v$version cannot be downloaded"
done
awk -v file="$archive" '$2 == file' checksums.txt >checksum
[ -s checksum ] || fail "checksums.txt of release v$version does not name $archive"
if command -v sha256sum >/dev/null; then
	sha256sum -c checksum || fail "$archive is not what checksums.txt of release v$version says"
else
	shasum -a 256 -c checksum || fail "$archive is not what checksums.txt of release v$version says"
fi
case $archive in
*.zip) unzip -qo "$archive" ;;
*) tar -xzf "$archive" ;;
esac
echo "$dir" >>"$GITHUB_PATH"
./disteval version
