// A test harness of one page: TEST registers a function, CHECK ends the process with the line that failed.
//
// Each *_test.cc is a program of its own (check_main.cc is its main). Every test must leave as many descriptors open as
// it found, and ends within kTestTimeoutSecs.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace edgeproxy::test {

constexpr unsigned kTestTimeoutSecs = 300;

struct Registration {
  Registration(const char* name, void (*run)());
};

[[noreturn]] inline void Fail(const char* file, int line, const char* what, long long left, long long right) {
  std::fprintf(stderr, "%s:%d: %s (%lld, %lld)\n", file, line, what, left, right);
  std::exit(1);
}

}  // namespace edgeproxy::test

#define TEST(function, sentence)                                                 \
  static void function();                                                        \
  static const edgeproxy::test::Registration function##_registered(sentence, function); \
  static void function()

#define CHECK(condition) \
  ((condition) ? void() : edgeproxy::test::Fail(__FILE__, __LINE__, #condition, 0, 0))

#define CHECK_OP(left, operation, right)                                                                \
  do {                                                                                                  \
    const auto left_value = static_cast<long long>(left);                                               \
    const auto right_value = static_cast<long long>(right);                                             \
    if (!(left_value operation right_value))                                                            \
      edgeproxy::test::Fail(__FILE__, __LINE__, #left " " #operation " " #right, left_value, right_value); \
  } while (false)
#define CHECK_EQ(left, right) CHECK_OP(left, ==, right)
