# cmake -D root=FOLDER -P check_includes.cmake
# Holds every #include "…" of the project against the arrows between its folders. docs/architecture.md draws them.

# FOLDER > the folders it may include from, besides itself.
set(arrows
  "protocol            >"
  "common/base         >"
  "common/model        > common/base"
  "common/engine       > common/model common/base"
  "common/data         > common/model common/base"
  "common/net          > protocol common/base"
  "common/program      > common/base"
  "server/round        > common/model common/base"
  "server/strategy     > common/model common/base"
  "server/ledger       > common/model common/base"
  "server/registry     > server/ledger common/model common/base"
  "server/home         > server/ledger common/net common/program common/model common/base"
  "server/admin        > server/home server/ledger server/registry common/net common/model common/base"
  "server/fleet        > server/home server/ledger server/registry server/round server/strategy common/net protocol common/model common/base"
  "server/program      > server/admin server/fleet server/home server/ledger server/registry server/round server/strategy common/data common/engine common/net common/program common/model common/base"
  "client/include      > common/engine common/model common/base"
  "client/home         > common/net common/model common/base"
  "client/store        > common/engine protocol common/model common/base"
  "client/agent        > client/include client/home client/store common/engine common/net protocol common/model common/base"
  "client/sdk          > client/include client/agent client/home client/store common/data common/engine common/net protocol common/model common/base"
  "client/program      > client/include common/data common/program common/engine common/model common/base"
  "simulations         > server client common protocol"
  "tests               > server client common protocol simulations")

# The entry of the longest folder that holds `path`; empty where there is none.
function(find_arrows path result)
  set(found "")
  foreach(arrow IN LISTS arrows)
    string(REGEX MATCH "^[a-z/]+" folder "${arrow}")
    if(path MATCHES "^${folder}/")
      set(found "${arrow}")
    endif()
  endforeach()
  set(${result} "${found}" PARENT_SCOPE)
endfunction()

# What is wrong with `file` including `included`; empty where nothing is.
function(judge file included result)
  set(${result} "" PARENT_SCOPE)
  set(target ${included})
  if(included MATCHES "^fl/")
    set(target client/include/${included})
  elseif(included MATCHES "^protocol/[a-z]+_generated\\.h$")
    set(target protocol/message.h)
  endif()
  if(NOT EXISTS ${root}/${target})
    set(${result} "there is no ${included}; includes are relative to the project's root" PARENT_SCOPE)
    return()
  endif()
  find_arrows(${file} arrow)
  if(arrow STREQUAL "")
    set(${result} "its folder is not in the table of tests/architecture/check_includes.cmake" PARENT_SCOPE)
    return()
  endif()
  string(REGEX MATCHALL "[a-z]+[a-z/]*" folders "${arrow}")
  foreach(folder IN LISTS folders)
    if(target MATCHES "^${folder}/")
      return()
    endif()
  endforeach()
  set(${result} "may not include ${included}: ${arrow}" PARENT_SCOPE)
endfunction()

set(faults 0)
set(checked 0)
foreach(top protocol common server client simulations tests)
  file(GLOB_RECURSE files RELATIVE ${root} ${root}/${top}/*.h ${root}/${top}/*.cc)
  foreach(file IN LISTS files)
    file(STRINGS ${root}/${file} lines REGEX "^#include \"")
    foreach(line IN LISTS lines)
      string(REGEX REPLACE "^#include \"([^\"]*)\".*" "\\1" included "${line}")
      judge(${file} ${included} fault)
      math(EXPR checked "${checked} + 1")
      if(fault)
        message(SEND_ERROR "${file}: ${fault}")
        math(EXPR faults "${faults} + 1")
      endif()
    endforeach()
  endforeach()
endforeach()
if(checked LESS 100)
  message(FATAL_ERROR "only ${checked} includes were found in ${root}: this test looks in the wrong place")
endif()
message(STATUS "${checked} includes, ${faults} against the arrows")
