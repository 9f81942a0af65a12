"""Questions as people ask them, and the tables of samples/databases/shop.sql, or the documents, that answer them.

Written before the search was tuned, from the schema's meaning and not from its words; several tables where any of them
would do.
"""

TABLES: dict[str, tuple[str, ...]] = {
    "Which products sell best this month?": ("shop.monthly_sales", "shop.order_items"),
    "Who reports to whom?": ("hr.employees",),
    "unpaid bills older than 30 days": ("finance.overdue_invoices", "finance.invoices"),
    "How much money did we give back last week?": ("finance.refunds",),
    "Which articles are about to run out?": ("shop.low_stock", "shop.stock_levels"),
    "average rating of a kettle": ("shop.reviews",),
    "Where is my parcel?": ("shop.shipments",),
    "customers in Switzerland": ("shop.customers", "shop.addresses", "shop.countries"),
    "What did this item cost last year?": ("shop.price_history",),
    "people who abandoned their basket": ("shop.carts", "shop.cart_items"),
    "Why do people send things back?": ("shop.returns",),
    "open complaints by urgency": ("shop.support_tickets",),
    "Who is on sick leave today?": ("hr.absences",),
    "payroll by department": ("hr.salaries", "hr.departments", "hr.employees"),
    "Which vendors deliver late?": ("shop.purchase_orders", "shop.suppliers"),
    "VAT rate in France": ("finance.tax_rates",),
    "gold members and how many points they have": ("shop.loyalty_accounts",),
    "goods that left the warehouse yesterday": ("shop.t_inv_mv", "shop.shipments"),
    "discount codes that are still valid": ("shop.coupons",),
    "Which pages do visitors look at most?": ("shop.page_views",),
    "candidates who were invited to an interview": ("hr.applicants",),
    "credit cards that expire soon": ("shop.payment_cards",),
    "subcategories of kitchen": ("shop.categories",),
    "bookings on account 4711": ("finance.gl_entries",),
    "who has agreed to get advertising by mail": ("shop.customers",),
    "revenue per month": ("shop.monthly_sales",),
    "What do we pay per piece when we buy from a supplier?": ("shop.purchase_order_lines",),
    "Which delivery companies do we use?": ("shop.carriers", "shop.shipments"),
    "how customers paid: by card or bank transfer": ("finance.payments",),
    "manufacturer of an article": ("shop.brands", "shop.products"),
    "things people would like to have some day": ("shop.wishlists",),
    "who took part in the first aid course": ("hr.training_attendance", "hr.trainings"),
    "newest hires": ("hr.employees",),
    "what was said in a conversation with the service desk": ("shop.ticket_messages",),
    "labels such as 'vegan' on products": ("shop.tags", "shop.product_tags"),
    "photos of a product": ("shop.product_images",),
    "number of orders per day": ("shop.orders",),
    "which items were in order 17": ("shop.order_items",),
    "heaviest articles": ("shop.products",),
    "cost centers": ("hr.departments",),
}

# Answered by samples/ and docs/.
DOCUMENTS: tuple[str, ...] = (
    "Can the president be removed from office by impeachment?",
    "Where should variable data such as logs be stored?",
    "Should I install stable, testing or unstable?",
    "radioactive metal used as fuel in nuclear reactors",
    "What happens when a worker is killed?",
    "How old must a senator be?",
    "Which amendment speaks of freedom of speech?",
    "What does Mr. Bennet think of his wife?",
    "What is Mr. Darcy's first proposal like?",
    "How does Black format long lines?",
    "Does Black use single or double quotes?",
    "what belongs into /usr/share",
    "purpose of the /opt directory",
    "a cynical definition of politics",
    "How does the devil's dictionary define marriage?",
    "atomic number of oxygen",
    "Which gas is used in balloons instead of hydrogen?",
    "How do I find a Debian package by its content?",
    "What are backports in Debian?",
    "who may declare war according to the constitution",
    "What is the purpose of the relay?",
    "why is there a window of jobs in the broker",
    "how long does a lease last and what depends on it",
    "What is a segment of a generation?",
    "how a claim id guards a job",
    "When is a job held?",
    "how do tenants take turns",
    "metal that is liquid at room temperature",
    "Which device nodes are in /dev?",
    "Lady Catherine's visit to Elizabeth",
)

# Answered by both: a table has the figures, a document the rule; added to the documents as notes by the benchmark.
NOTES: dict[str, str] = {
    "returns-policy": "Returns policy. Customers may send goods back within 30 days. Damaged goods are refunded whole, "
    "a changed mind costs the return shipping. The service desk decides about late returns.",
    "travel-policy": "Absence policy. Employees report sick leave before nine o'clock on the first day. Holidays are "
    "requested four weeks ahead; parental leave needs three months.",
    "dunning": "Dunning. An overdue invoice gets a reminder after 14 days and another one after 30; after 60 days "
    "it goes to a collection agency.",
    "loyalty": "Loyalty programme. Members collect one point per euro; silver begins at 500 points, gold at 2,000.",
    "reorder": "Reordering stock. When fewer pieces are on hand than the reorder point, purchasing orders from the "
    "cheapest supplier with a rating of four or better.",
}
BOTH: tuple[str, ...] = (
    "returns of damaged goods",
    "sick leave of employees",
    "overdue invoices and reminders",
    "loyalty points of gold members",
    "stock below the reorder point",
    "refunds for damaged goods",
    "holidays of employees",
    "supplier ratings when we reorder",
    "parental leave",
    "late returns at the service desk",
)

# Answered by neither.
NEITHER: tuple[str, ...] = (
    "What will the weather be like tomorrow?",
    "Who won the world cup in 1998?",
    "How do I bake sourdough bread?",
    "Which guitar chords does the song use?",
    "What is the capital of Mongolia?",
    "How far away is the nearest galaxy?",
    "Translate good morning into Japanese",
    "Why is my cat sneezing?",
    "best hiking trails near the fjords",
    "How do I tie a bowline knot?",
    "rules of chess for castling",
    "Who painted the Mona Lisa?",
    "How many calories are in a banana?",
    "symptoms of the flu",
    "Write a poem about autumn leaves",
    "How do I change a bicycle tyre?",
    "What time does the train to Vienna leave?",
    "Which planets have rings?",
    "exercises against back pain",
    "How tall is Mount Everest?",
)
