#include "client/program/words.h"

#include <doctest/doctest.h>

using fl::program::with_named_files;
using Words = std::vector<std::string>;

TEST_CASE("files by their place are put behind --data") {
  CHECK(with_named_files({"fl-client", "import", "home", "a", "b"}) ==
        Words{"fl-client", "import", "home", "--data", "a", "b"});
  CHECK(with_named_files({"fl-client", "predict", "home", "--task", "t", "a", "--json", "b"}) ==
        Words{"fl-client", "predict", "home", "--task", "t", "--json", "--data", "a", "b"});
  CHECK(with_named_files({"fl-client", "predict", "home", "a", "--output", "out", "b"}) ==
        Words{"fl-client", "predict", "home", "--output", "out", "--data", "a", "b"});
  CHECK(with_named_files({"fl-client", "predict", "--task", "t", "home", "a"}) ==
        Words{"fl-client", "predict", "--task", "t", "home", "--data", "a"});
}

TEST_CASE("files that are named by --data stay where they are") {
  const Words words{"fl-client", "import", "home", "--data", "a", "b", "--task", "t"};
  CHECK(with_named_files(words) == words);
}

TEST_CASE("other commands are left as they are") {
  for (const Words& words : {Words{"fl-client"}, Words{"fl-client", "status", "home", "x"},
                             Words{"fl-client", "import"}, Words{"fl-client", "import", "home"}}) {
    CHECK(with_named_files(words) == words);
  }
}
