#include "server_name.h"

namespace edgeproxy {

namespace {
bool IsDigit(unsigned char byte) { return byte >= '0' && byte <= '9'; }

// 0 for what cannot be in a label.
unsigned char InLabel(unsigned char byte) {
  if (byte >= 'A' && byte <= 'Z') return static_cast<unsigned char>(byte | 0x20);
  return (byte >= 'a' && byte <= 'z') || IsDigit(byte) || byte == '-' || byte == '_' ? byte : '\0';
}

// Of `name:443` the length of `name`; of everything else its own.
size_t WithoutPort(const unsigned char* bytes, size_t size) {
  size_t digits = 0;
  while (digits < size && IsDigit(bytes[size - digits - 1])) digits++;
  const bool has_port = digits > 0 && digits <= 5 && digits < size && bytes[size - digits - 1] == ':';
  return has_port ? size - digits - 1 : size;
}
}  // namespace

size_t ReadServerName(const unsigned char* bytes, size_t size, unsigned char* to) {
  size_t length = WithoutPort(bytes, size);
  if (length > 0 && bytes[length - 1] == '.') length--;
  if (length == 0 || length > kMaxServerNameBytes) return 0;
  bool is_label_empty = true;
  for (size_t i = 0; i < length; i++) {
    const bool is_dot = bytes[i] == '.';
    to[i] = is_dot ? bytes[i] : InLabel(bytes[i]);
    if (to[i] == '\0' || (is_dot && is_label_empty)) return 0;
    is_label_empty = is_dot;
  }
  return is_label_empty ? 0 : length;
}

}  // namespace edgeproxy
