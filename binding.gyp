{
  "targets": [
    {
      "target_name": "edgeproxy",
      "sources": ["<!@(ls -1 native/engine/*.cc native/bindings/*.cc)"],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")", "native/engine"],
      "defines": ["NAPI_VERSION=9", "NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS", "NODE_ADDON_API_DISABLE_DEPRECATED"],
      "cflags_cc!": ["-std=gnu++17", "-fexceptions"],
      "cflags_cc": [
        "-std=gnu++20", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-Wno-unused-parameter",
        "-Wno-cast-function-type", "-fno-exceptions", "-fno-rtti", "-fvisibility=hidden"
      ],
      "cflags!": ["-fexceptions"]
    }
  ]
}
