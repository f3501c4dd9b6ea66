#!/usr/bin/env bash
# cuda_stand_ins.sh TORCH_LIB
# PyTorch's wheel links to CUDA libraries of 2 GB, which must be there when it loads, but which nothing calls on the CPU. This writes
# a library of each name into PyTorch's own folder, in which every function that PyTorch wants fails with status 1.
# What a process without a GPU does call (cudart, cupti, cufile) is installed as it is.
set -euo pipefail
lib=$1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

find "$lib" -name 'lib*.so' -exec readelf --dyn-syms -W {} + | awk '$7 == "UND" { print $8 }' | sort -u >"$tmp/wanted"
find "$lib" -name 'lib*.so' -exec readelf -dW {} + | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u >"$tmp/needed"

# Functions come with the library's version; NCCL's and cuSPARSELt's have none, NVSHMEM's has a name of its own.
wanted_of() { # SONAME
  case $1 in
    libnccl.*) grep -E '^nccl' "$tmp/wanted" ;;
    libcusparseLt.*) grep -E '^cusparseLt' "$tmp/wanted" ;;
    libnvshmem_host.*) grep -E '@NVSHMEM$' "$tmp/wanted" ;;
    *) grep -F "@$1" "$tmp/wanted" ;;
  esac | sed 's/@.*//'
}

while read -r soname; do
  version=$soname
  [[ $soname != libnvshmem_host.* ]] || version=NVSHMEM
  { wanted_of "$soname" || true; } | sed 's/.*/int &(void) { return 1; }/' >"$tmp/stand_in.c"
  echo "$version { global: *; };" >"$tmp/stand_in.map"
  gcc -w -shared "$tmp/stand_in.c" -Wl,-soname,"$soname" -Wl,--version-script,"$tmp/stand_in.map" -o "$lib/$soname"
done < <(grep -E '^lib(cublas|cublasLt|cudnn|cufft|cusolver|cusparse|cusparseLt|nccl|nvrtc|nvshmem_host)\.so' "$tmp/needed")
