include(doctest)

# The unit tests that also run under sanitizers, and which. Coroutines stay out of address,undefined, under which one
# file of them takes minutes to compile; what does not meet the network has no threads to race.
set(fl_tests_for_address base protocol model data round strategy ledger registry home admin)
set(fl_tests_for_thread protocol net fleet client)

if(FL_SANITIZE)
  # What ./dev test builds of a sanitized tree.
  add_custom_target(fl_sanitized_tests)
endif()

# Whether a unit test is part of this tree: every one is, but under a sanitizer.
function(fl_wants_test name result)
  set(wanted TRUE)
  if(FL_SANITIZE MATCHES "thread")
    set(names ${fl_tests_for_thread})
  elseif(FL_SANITIZE)
    set(names ${fl_tests_for_address})
  endif()
  if(FL_SANITIZE AND NOT name IN_LIST names)
    set(wanted FALSE)
  endif()
  set(${result} ${wanted} PARENT_SCOPE)
endfunction()

# fl_unit_test(base SOURCES a_test.cc LINK fl_base) makes build/bin/tests/base_test, each test case one ctest
# test named "base: what the case says".
function(fl_unit_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LINK;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  fl_wants_test(${name} wanted)
  if(NOT wanted)
    return()
  endif()
  add_executable(${name}_test ${ARG_SOURCES})
  fl_compile_options(${name}_test)
  target_include_directories(${name}_test PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name}_test PRIVATE fl_test_main ${ARG_LINK})
  set_target_properties(${name}_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin/tests)
  set(prefix "${name}: ")
  if(FL_SANITIZE)
    add_dependencies(fl_sanitized_tests ${name}_test)
    set(prefix "${FL_SANITIZE} ${name}: ")
  endif()
  doctest_discover_tests(${name}_test TEST_PREFIX "${prefix}" PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT})
endfunction()
