// lengths.cpp - how long are the words of a text? In C++: what is thrown fails the task.
#include <sheaf.hpp>

#include <algorithm>
#include <cstring>
#include <sstream>
#include <stdexcept>

namespace
{

constexpr std::size_t longest = 30;

struct lengths {
    std::uint64_t counts[longest + 1];
};

lengths read(const sheaf_bytes &bytes)
{
    lengths result;
    if (bytes.size != sizeof result)
        throw std::length_error("a result of another size");
    std::memcpy(&result, bytes.data, sizeof result);
    return result;
}

void run(sheaf_context *context, const sheaf_task *task)
{
    lengths result = {};
    std::istringstream words(sheaf::text(task->input));
    for (std::string word; words >> word;) {
        if (word.size() > longest)
            throw std::length_error("a word of " + std::to_string(word.size()) +
                                    " letters: is this a text?");
        result.counts[word.size()]++;
    }
    sheaf::emit(context, &result, sizeof result);
}

void merge(sheaf_context *context, sheaf_bytes left, sheaf_bytes right)
{
    lengths sum = read(left);
    const lengths more = read(right);
    std::transform(sum.counts, sum.counts + longest + 1, more.counts, sum.counts,
                   [](std::uint64_t a, std::uint64_t b) { return a + b; });
    sheaf::emit(context, &sum, sizeof sum);
}

void finish(sheaf_context *context, sheaf_bytes result)
{
    const lengths all = read(result);
    std::ostringstream table;
    for (std::size_t length = 1; length <= longest; length++)
        if (all.counts[length] > 0)
            table << length << ' ' << all.counts[length] << '\n';
    sheaf::emit(context, table.str());
}

} // namespace

SHEAF_PLUGIN_OF(sheaf::hooks().run<run>().merge<merge>().finish<finish>())
