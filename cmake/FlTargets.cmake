# How this project's libraries and programs are made. Everything that is set is set on a target, nothing globally.

# What all our own code is compiled with; third-party code never sees it.
function(fl_compile_options target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON
                        CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # Warns of every "text" + std::string (GCC bug 105651, mended in 13).
    target_compile_options(${target} PRIVATE -Wno-restrict)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Sees frames of coroutines freed by another allocator than their own, where there are none.
    target_compile_options(${target} PRIVATE -Wno-mismatched-new-delete)
  endif()
  if(FL_DEVELOPER)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(FL_SANITIZE)
    # What sanitizers add to the code makes GCC see uninitialized reads where there are none.
    target_compile_options(${target} PRIVATE -fsanitize=${FL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all
                           $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
    # PUBLIC, so that a program of plain objects links the runtime too.
    target_link_options(${target} PUBLIC -fsanitize=${FL_SANITIZE})
    if(FL_SANITIZE MATCHES "thread")
      # Asio uses atomic_thread_fence, which GCC's ThreadSanitizer does not model and warns of.
      target_compile_options(${target} PRIVATE -Wno-tsan)
    endif()
  endif()
endfunction()

# A fifth of what a library takes to compile, and half of what one with coroutines does, are headers of the standard
# library and of Asio: compiled once, for all libraries, by GCC. It warns of what is inlined from there as if it were
# our own code.
function(fl_precompiled_headers target)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    return()
  endif()
  target_compile_options(${target} PRIVATE -Wno-array-bounds -Wno-stringop-overflow)
  if(NOT target STREQUAL "fl_base")
    target_precompile_headers(${target} REUSE_FROM fl_base)
    return()
  endif()
  target_precompile_headers(fl_base PRIVATE
    <algorithm> <chrono> <cstdint> <filesystem> <functional> <iostream> <map> <memory> <optional> <set> <span> <string>
    <variant> <vector>
    <boost/asio/awaitable.hpp> <boost/asio/co_spawn.hpp> <boost/asio/detached.hpp> <boost/asio/io_context.hpp>
    <boost/asio/ip/tcp.hpp> <boost/asio/post.hpp> <boost/asio/redirect_error.hpp> <boost/asio/steady_timer.hpp>
    <boost/asio/thread_pool.hpp> <boost/asio/use_awaitable.hpp>)
endfunction()

# fl_library(fl_base SOURCES a.cc PUBLIC fl_x PRIVATE OpenSSL::Crypto)
# A folder of the house, and the libraries it links. Which folders it may include from is drawn in docs/architecture.md.
function(fl_library target)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(${target} STATIC ${ARG_SOURCES})
  string(REGEX REPLACE "^fl_" "" short ${target})
  add_library(fl::${short} ALIAS ${target})
  fl_compile_options(${target})
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/fl/detail>)
  target_link_libraries(${target} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${short}
                        ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
  fl_precompiled_headers(${target})
endfunction()

# fl_program(fl-server SOURCES main.cc LINK fl_x)
function(fl_program target)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${target} ${ARG_SOURCES})
  fl_compile_options(${target})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE ${ARG_LINK})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  install(TARGETS ${target} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()
