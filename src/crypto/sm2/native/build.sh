#!/usr/bin/env bash
# Builds sm2.wasm from the C beside this file, and writes its SM3 digest and the compiler next to it.
#   build.sh           builds
#   build.sh --check   builds elsewhere and compares; ends with 3 when this machine has not the compiler of the committed file
# Debian bookworm: apt-get install clang-14 lld-14 llvm-14. Another version of clang writes other bytes.
set -euo pipefail
cd "$(dirname "$0")"
export LC_ALL=C

for tool in clang-14 wasm-ld-14 llvm-objdump-14 openssl; do
  command -v "$tool" >/dev/null || {
    echo "$tool is not installed: sm2.wasm cannot be built here"
    exit 3
  }
done

built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
compiler=$(clang-14 --version | sed -n 's/.*\(clang version [0-9.]*\).*/\1/p')

# No standard library, no imports: the module can reach nothing but its own memory.
for source in *.c; do
  clang-14 --target=wasm32 -std=c11 -O2 -msimd128 -ffreestanding -Wall -Wextra -Werror -c "$source" -o "$built/${source%.c}.o"
done
wasm-ld-14 --no-entry --strip-debug -z stack-size=65536 --fatal-warnings -o "$built/sm2.wasm" \
  "$built"/{combine,field,number,order,point,sm2}.o

# A choice between two values must be made with a mask, see number.h.
if llvm-objdump-14 -d "$built/sm2.wasm" | grep -E '\.select|bitselect'; then
  echo 'the compiler has made a select of a mask'
  exit 1
fi

wasm-ld-14 --no-entry --strip-all -z stack-size=65536 --fatal-warnings -o "$built/sm2.wasm" \
  "$built"/{combine,field,number,order,point,sm2}.o
digest=$(openssl dgst -sm3 -r "$built/sm2.wasm" | cut -d ' ' -f 1)
printf '%s  sm2.wasm\n# %s\n' "$digest" "$compiler" >"$built/sm2.wasm.sm3"

if [ "${1:-}" != --check ]; then
  cp "$built/sm2.wasm" "$built/sm2.wasm.sm3" ..
  echo "sm2.wasm: $(wc -c <../sm2.wasm) bytes, SM3 $digest"
  exit
fi
grep -qxF "# $compiler" ../sm2.wasm.sm3 || {
  echo "this is $compiler, and the committed module was built by another: $(tail -n 1 ../sm2.wasm.sm3)"
  exit 3
}
cmp "$built/sm2.wasm" ../sm2.wasm
cmp "$built/sm2.wasm.sm3" ../sm2.wasm.sm3
echo "sm2.wasm is what its source gives: SM3 $digest"
