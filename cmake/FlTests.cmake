include(doctest)

# fl_unit_test(base SOURCES a_test.cc LINK fl_base) makes build/bin/tests/base_test, each test case one ctest
# test named "base: what the case says".
function(fl_unit_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;LABELS" ${ARGN})
  add_executable(${name}_test ${ARG_SOURCES})
  fl_compile_options(${name}_test)
  target_include_directories(${name}_test PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name}_test PRIVATE fl_test_main ${ARG_LINK})
  set_target_properties(${name}_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin/tests)
  doctest_discover_tests(${name}_test TEST_PREFIX "${name}: " PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 120)
endfunction()
