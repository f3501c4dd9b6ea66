# Language, warnings, sanitizers, compiler cache and where binaries go. Applies to everything in this tree.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
include(GNUInstallDirs)

add_compile_options("$<$<COMPILE_LANGUAGE:C,CXX>:-fno-omit-frame-pointer;-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=>")

# For our own targets only; what comes from outside is included as SYSTEM.
set(TARMAC_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor
  -Woverloaded-virtual -Wimplicit-fallthrough $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond>
  # g++ 12 warns falsely about "literal" + std::string (GCC bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
if(TARMAC_WERROR)
  list(APPEND TARMAC_WARNINGS -Werror)
endif()

if(TARMAC_SANITIZE)
  # vptr needs type information that the engines' libraries hide.
  add_compile_options("$<$<COMPILE_LANGUAGE:C,CXX>:-fsanitize=${TARMAC_SANITIZE};-fno-sanitize-recover=all>")
  add_link_options(-fsanitize=${TARMAC_SANITIZE})
  if(TARMAC_SANITIZE MATCHES "undefined")
    add_compile_options($<$<COMPILE_LANGUAGE:C,CXX>:-fno-sanitize=vptr>)
  endif()
endif()

# One run path for the whole process, DT_RPATH rather than DT_RUNPATH: it then also serves libraries that bring none, so
# OpenCV's libtbb.so.12 resolves to the same file as OpenVINO's.
add_link_options(LINKER:--disable-new-dtags)
