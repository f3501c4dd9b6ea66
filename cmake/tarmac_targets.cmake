# tarmac_library(folder …), tarmac_test(name …), tarmac_program(name …): every target of this tree is made by one of them.

# Where a dependency is named by its folder (base), the target is tarmac_base.
function(tarmac_resolve out)
  set(resolved)
  foreach(dependency IN LISTS ARGN)
    if(dependency IN_LIST TARMAC_FOLDERS)
      set(dependency tarmac_${dependency})
    endif()
    list(APPEND resolved ${dependency})
  endforeach()
  set(${out} ${resolved} PARENT_SCOPE)
endfunction()

# tarmac_library(base SOURCES a.cpp … [DEPS used in headers …] [PRIVATE_DEPS used in sources only …])
# makes the static library tarmac_base. A folder's name stands for its library in DEPS.
function(tarmac_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  string(REGEX REPLACE "^tarmac_" "" name ${name})
  tarmac_resolve(deps ${ARG_DEPS})
  tarmac_resolve(private_deps ${ARG_PRIVATE_DEPS})
  add_library(tarmac_${name} STATIC ${ARG_SOURCES})
  target_include_directories(tarmac_${name} PUBLIC
    $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/src>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_compile_options(tarmac_${name} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:${TARMAC_WARNINGS}>")
  target_link_libraries(tarmac_${name} PUBLIC ${deps} PRIVATE ${private_deps})
endfunction()

# tarmac_program(tarmac SOURCES main.cpp DEPS …) makes build/<preset>/bin/tarmac.
function(tarmac_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  tarmac_resolve(deps ${ARG_DEPS})
  add_executable(${name} ${ARG_SOURCES})
  target_compile_options(${name} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:${TARMAC_WARNINGS}>")
  target_link_libraries(${name} PRIVATE ${deps})
endfunction()

function(tarmac_label target label)
  if(NOT TARGET tests_${label})
    add_custom_target(tests_${label})
  endif()
  add_dependencies(tests_${label} ${target})
endfunction()

# tarmac_test(sha256_test SOURCES sha256_test.cpp DEPS base [LABELS slow] [TIMEOUT seconds]) registers every TEST in it with
# ctest. Labels: `unit` (the default; the ones that run under sanitizers), `slow`, `conformance`, or `both`: under sanitizers, and
# without them what can only be seen so. The target tests_LABEL builds all that a label runs.
function(tarmac_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  if(NOT name MATCHES "_test$")
    set(name ${name}_test)
  endif()
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  tarmac_resolve(deps ${ARG_DEPS})
  add_executable(${name} ${ARG_SOURCES})
  tarmac_label(${name} ${ARG_LABELS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/tests)
  target_compile_definitions(${name} PRIVATE TARMAC_SOURCE_DIR="${CMAKE_SOURCE_DIR}" TARMAC_BINARY_DIR="${CMAKE_BINARY_DIR}")
  target_compile_options(${name} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:${TARMAC_WARNINGS}>")
  target_link_libraries(${name} PRIVATE ${deps} GTest::gmock_main)
  set(properties LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT})
  if(TARMAC_SANITIZE)
    # Else oneTBB loads its parts with RTLD_DEEPBIND, which sanitizers refuse.
    list(APPEND properties ENVIRONMENT TBB_ENABLE_SANITIZERS=1)
  endif()
  # Extracting the tests when ctest starts, not after each link, keeps a build free of test runs.
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
    NO_PRETTY_VALUES TEST_PREFIX "${name}." PROPERTIES ${properties})
endfunction()
