include(doctest)

if(FL_SANITIZE)
  # What ./dev test builds of a sanitized tree.
  add_custom_target(fl_sanitized_tests)
endif()

# What code that is compiled once and runs for seconds is better off with: no optimisation, which is about a fifth of the
# time to compile, and the precompiled headers of fl_test_main, which are a third of it and which position-independent
# code could not use. GCC warns of what is inlined from there as if it were our own code.
function(fl_test_options target)
  fl_compile_options(${target})
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${target} PRIVATE -Wno-array-bounds -Wno-stringop-overflow "$<$<CONFIG:Release>:-O0>")
  target_compile_definitions(${target} PRIVATE DOCTEST_CONFIG_SUPER_FAST_ASSERTS)
endfunction()

# fl_test_library(fl_test_fleet SOURCES a.cc LINK fl_x) makes what several test programs share.
function(fl_test_library target)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${target} STATIC ${ARG_SOURCES})
  fl_test_options(${target})
  target_precompile_headers(${target} REUSE_FROM fl_test_main)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${target} PUBLIC ${ARG_LINK})
endfunction()

# fl_unit_test(base SOURCES a_test.cc LINK fl_base) makes build/bin/tests/base_test, each test case one ctest
# test named "base: what the case says", skipped where it says MESSAGE("skipped: ..."). A test that has passed is
# also reported as skipped where LeakSanitizer then crashes itself, as it does once in some thousand processes
# (google/sanitizers issue 1353). Under AddressSanitizer with UndefinedBehaviorSanitizer every unit test is built
# and run; under ThreadSanitizer those marked NETWORKED, the others having no threads to race.
function(fl_unit_test name)
  cmake_parse_arguments(ARG "NETWORKED" "TIMEOUT" "SOURCES;LINK" ${ARGN})
  if(FL_SANITIZE MATCHES "thread" AND NOT ARG_NETWORKED)
    return()
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name}_test ${ARG_SOURCES})
  fl_test_options(${name}_test)
  target_precompile_headers(${name}_test REUSE_FROM fl_test_main)
  target_include_directories(${name}_test PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name}_test PRIVATE fl_test_main ${ARG_LINK})
  set_target_properties(${name}_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin/tests)
  set(prefix "${name}: ")
  if(FL_SANITIZE)
    add_dependencies(fl_sanitized_tests ${name}_test)
    set(prefix "${FL_SANITIZE} ${name}: ")
  endif()
  set(skipped "MESSAGE: skipped:|Status: SUCCESS!.*LeakSanitizer has encountered a fatal error")
  doctest_discover_tests(${name}_test TEST_PREFIX "${prefix}"
    PROPERTIES TIMEOUT ${ARG_TIMEOUT} SKIP_REGULAR_EXPRESSION "${skipped}")
endfunction()
