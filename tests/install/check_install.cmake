# cmake -D build=FOLDER -D consumer=FOLDER -D scratch=FOLDER -D generator=NAME -D compiler=PROGRAM -D readme=FILE -P check_install.cmake

function(run)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE said ERROR_VARIABLE said RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${ARGN}\nended with ${status}:\n${said}")
  endif()
endfunction()

# The code that the README shows, as it stands there.
function(extract_example readme file)
  file(READ ${readme} text)
  string(REGEX MATCH "```cpp\n([^`]*)```" block "${text}")
  if(block STREQUAL "")
    message(FATAL_ERROR "${readme} shows no C++")
  endif()
  file(WRITE ${file} "${CMAKE_MATCH_1}")
endfunction()

file(REMOVE_RECURSE ${scratch})
extract_example(${readme} ${scratch}/readme.cc)
run(${CMAKE_COMMAND} --install ${build} --prefix ${scratch}/prefix)
run(${CMAKE_COMMAND} -G ${generator} -S ${consumer} -B ${scratch}/build -D CMAKE_BUILD_TYPE=Release
    -D CMAKE_CXX_COMPILER=${compiler} -D CMAKE_PREFIX_PATH=${scratch}/prefix -D readme_example=${scratch}/readme.cc)
run(${CMAKE_COMMAND} --build ${scratch}/build)

execute_process(COMMAND ${scratch}/build/app ${scratch}/no-such-home OUTPUT_VARIABLE said RESULT_VARIABLE status)
if(NOT status EQUAL 0 OR NOT said MATCHES "no-such-home")
  message(FATAL_ERROR "the app should have been told that there is no home, naming it; it ended with ${status}: ${said}")
endif()
