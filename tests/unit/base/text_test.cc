#include "common/base/text.h"

#include <doctest/doctest.h>

using namespace fl;

TEST_CASE("text that came from anywhere can stand in a sentence (I9)") {
  CHECK(in_quotes("x_acc") == "'x_acc'");
  CHECK(in_quotes("") == "''");
  CHECK(in_quotes("a\nb\x7f") == "'a\\x0ab\\x7f'");
  CHECK(in_quotes("Größe") == "'Größe'");
  CHECK(in_quotes("\xc3") == "'\\xc3'");
  CHECK(in_quotes("\u009b2J\u00a0") == "'\\xc2\\x9b2J\u00a0'");
  CHECK(in_quotes(std::string(80, 'a')) == "'" + std::string(80, 'a') + "'");
  CHECK(in_quotes(std::string(81, 'a')) == "'" + std::string(80, 'a') + "…'");
}

TEST_CASE("a text is UTF-8 only if every character is") {
  CHECK(is_utf8(""));
  CHECK(is_utf8("abc € 😀"));
  CHECK_FALSE(is_utf8("\x80"));
  CHECK_FALSE(is_utf8("\xe2\x82"));
  CHECK_FALSE(is_utf8("\xc0\xaf"));          // overlong
  CHECK_FALSE(is_utf8("\xed\xa0\x80"));      // a surrogate
  CHECK_FALSE(is_utf8("\xf4\x90\x80\x80"));  // beyond Unicode
}

TEST_CASE("text without controls has a space for each") {
  CHECK(without_controls("a\nb\x7f\x1b[2J") == "a b  [2J");
  CHECK(without_controls("\u0080\u009b\u009f\u00a0\u00e4") == "   \u00a0\u00e4");
  CHECK(without_controls("\xc2") == "\xc2");
}
