# cmake -D build=FOLDER -D readelf=PROGRAM -P check_needed.cmake
# Holds the ELF headers of everything that was built against the rule that libtorch stands behind one door.

file(GLOB_RECURSE candidates ${build}/bin/* ${build}/lib/*.so ${build}/lib/*.so.*)
set(with_torch)
foreach(file IN LISTS candidates)
  execute_process(COMMAND ${readelf} -d ${file} OUTPUT_VARIABLE dynamic ERROR_QUIET)
  if(dynamic MATCHES "NEEDED[^\n]*\\[lib(torch|c10)")
    get_filename_component(name ${file} NAME)
    list(APPEND with_torch ${name})
  endif()
endforeach()
if(NOT with_torch STREQUAL "fl-engine-torch.so")
  message(FATAL_ERROR "fl-engine-torch.so alone should need libtorch; these do: ${with_torch}")
endif()
