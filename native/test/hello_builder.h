// ClientHellos as a test wants them, and the captured ones.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "check.h"

namespace edgeproxy::test {

inline std::string BigEndian(size_t width, size_t value) {
  std::string bytes(width, '\0');
  for (size_t i = 0; i < width; i++) bytes[width - 1 - i] = static_cast<char>(value >> (8 * i) & 0xff);
  return bytes;
}
inline std::string Vector(size_t width, const std::string& content) { return BigEndian(width, content.size()) + content; }
inline std::string Extension(uint32_t type, const std::string& content) { return BigEndian(2, type) + Vector(2, content); }
inline std::string HostName(const std::string& name) { return BigEndian(1, 0) + Vector(2, name); }
inline std::string ServerName(const std::string& name) { return Extension(0, Vector(2, HostName(name))); }
inline std::string Alpn(const std::vector<std::string>& protocols) {
  std::string list;
  for (const std::string& protocol : protocols) list += Vector(1, protocol);
  return Extension(16, Vector(2, list));
}
// A reserved value that a server must ignore (RFC 8701).
inline std::string Grease() { return Extension(0x2a2a, "x"); }

// The ClientHello without records.
inline std::string HelloMessage(const std::string& extensions, const std::string& session_id = "", uint32_t version = 0x303) {
  const std::string body = BigEndian(2, version) + std::string(32, 'r') + Vector(1, session_id) +
                           Vector(2, BigEndian(2, 0x1301) + BigEndian(2, 0x0a0a)) + Vector(1, std::string(1, '\0')) +
                           Vector(2, extensions);
  return BigEndian(1, 1) + Vector(3, body);
}
// In records of at most so many bytes.
inline std::string Records(const std::string& message, size_t record_bytes = 16 << 10) {
  std::string records;
  for (size_t at = 0; at < message.size(); at += record_bytes) {
    records += BigEndian(1, 22) + BigEndian(2, 0x301) + Vector(2, message.substr(at, record_bytes));
  }
  return records;
}
inline std::string HelloFor(const std::string& name) { return Records(HelloMessage(Grease() + ServerName(name))); }

inline std::string ReadWhole(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  CHECK(file != nullptr);
  std::string content(1 << 16, '\0');
  content.resize(std::fread(content.data(), 1, content.size(), file));
  std::fclose(file);
  return content;
}

struct CapturedHello {
  std::string file;
  std::string bytes;
  std::string name;
  std::string protocols;
  bool has_session;
};

// Those of test/fixtures/client-hellos; tests run in native/test.
inline std::vector<CapturedHello> CapturedHellos() {
  const std::string folder = "../../test/fixtures/client-hellos/";
  const std::string table = ReadWhole(folder + "expected.tsv");
  std::vector<CapturedHello> hellos;
  size_t line_end = table.find('\n');  // of the heading
  while (line_end + 1 < table.size()) {
    std::vector<std::string> cells(1);
    for (size_t at = line_end + 1; table[at] != '\n'; at++) {
      if (table[at] == '\t') cells.emplace_back();
      else cells.back() += table[at];
    }
    line_end = table.find('\n', line_end + 1);
    CHECK_EQ(cells.size(), 4u);
    hellos.push_back({cells[0], ReadWhole(folder + cells[0] + ".bin"), cells[1] == "-" ? "" : cells[1],
                      cells[2] == "-" ? "" : cells[2], cells[3] == "yes"});
  }
  return hellos;
}

}  // namespace edgeproxy::test
