# Style and script travel inside the library: a generated file has them as text. The script's parts are one script
# in the page, in this order. Sets page_assets, the generated file.
set(script_files packed.js stops.js address.js trace_list.js text_pane.js chart.js trace_view.js main.js)
set(LIL_PAGE_SCRIPT "")
foreach(file IN LISTS script_files)
  set(path ${CMAKE_CURRENT_LIST_DIR}/script/${file})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
  file(READ ${path} text)
  string(APPEND LIL_PAGE_SCRIPT "${text}")
endforeach()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/style.css)
file(READ ${CMAKE_CURRENT_LIST_DIR}/style.css LIL_PAGE_STYLE)
configure_file(${CMAKE_CURRENT_LIST_DIR}/page_assets.cpp.in ${CMAKE_CURRENT_BINARY_DIR}/page_assets.cpp @ONLY)
set(page_assets ${CMAKE_CURRENT_BINARY_DIR}/page_assets.cpp)
