# cmake -D server=PROGRAM -D client=PROGRAM -D scratch=FOLDER -P check_start_up.cmake
# Asks the dynamic linker which files it opens for commands that need no model.

function(expect_no_torch)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env LD_DEBUG=files ${ARGN} OUTPUT_QUIET ERROR_VARIABLE opened)
  string(REPLACE ";" " " command "${ARGN}")
  if(NOT opened MATCHES "libssl")
    message(FATAL_ERROR "the dynamic linker did not say what it opened for: ${command}")
  endif()
  if(opened MATCHES "libtorch|libc10|fl-engine-torch")
    message(SEND_ERROR "loads libtorch: ${command}")
  endif()
endfunction()

file(REMOVE_RECURSE ${scratch})
file(MAKE_DIRECTORY ${scratch})
expect_no_torch(${server} --help)
expect_no_torch(${client} --help)
expect_no_torch(${server} init ${scratch}/home --listen 127.0.0.1:0 --host 127.0.0.1)
if(NOT EXISTS ${scratch}/home)
  message(FATAL_ERROR "fl-server init made no home")
endif()
expect_no_torch(${server} status ${scratch}/home)
expect_no_torch(${client} status ${scratch}/none)
